// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tocsin/stream/natstest"
)

// member is a process of an installation, with one role.
type member struct {
	*process
	role, data, admin string
}

// installation is processes with one role each that share a NATS and a PostgreSQL.
type installation struct {
	t           *testing.T
	store       string
	ingest, api string // addresses
	members     []*member
}

// newInstallation starts the processes at once: whoever needs what another has to do first waits for it. All are given the
// same addresses to listen on, and only those of the role api can find the rules.
func newInstallation(t *testing.T, alerts string, roles ...string) *installation {
	t.Helper()
	in := &installation{t: t, store: freshDatabase(t), ingest: freePort(t), api: freePort(t)}
	nats := natsYAML(natstest.Start(t, 1, nil), 1)
	rulesDir, err := filepath.Abs("../../rules.d")
	if err != nil {
		t.Fatal(err)
	}
	for _, role := range roles {
		m := &member{process: &process{}, role: role, data: t.TempDir(), admin: freePort(t)}
		m.env = []string{
			"TOCSIN_ROLES=" + role, "TOCSIN_DATA=" + m.data, "TOCSIN_RULES=" + filepath.Join(m.data, "none"), "TOCSIN_API_TOKEN=secret",
			"TOCSIN_INGEST_LISTEN=" + in.ingest, "TOCSIN_API_LISTEN=" + in.api, "TOCSIN_ADMIN_LISTEN=" + m.admin,
		}
		text := alerts
		if role != roleAlert {
			text += nats
		}
		if role == roleCorrelate || role == roleAlert || role == roleAPI {
			m.env = append(m.env, "TOCSIN_STORE_URL="+in.store)
		}
		if role == roleAPI {
			m.env = append(m.env, "TOCSIN_RULES="+rulesDir)
		}
		config := filepath.Join(t.TempDir(), "tocsin.yaml")
		if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		m.env = append(m.env, "TOCSIN_TEST_CONFIG="+config)
		m.start(t, "")
		in.members = append(in.members, m)
	}
	return in
}

// of returns the members with a role.
func (in *installation) of(role string) []*member {
	var out []*member
	for _, m := range in.members {
		if m.role == role {
			out = append(out, m)
		}
	}
	return out
}

// wait waits for what, while every process runs but those that were killed on purpose.
func (in *installation) wait(what func() error, killed ...*member) {
	in.t.Helper()
	waitFor(in.t, 90*time.Second, func() bool {
		for _, m := range in.members {
			if !slices.Contains(killed, m) && !m.running() {
				in.t.Errorf("the process with %s has ended:\n%s", m.role, m.log)
				return false
			}
		}
		return true
	}, what)
}

// get returns the body of an answer that is well.
func get(url string) ([]byte, error) {
	req, err := http.NewRequest(http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer secret")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s %s", url, resp.Status, b)
	}
	return b, err
}

// ready waits until every process is, and returns what each role's looks at for that.
func (in *installation) ready() map[string][]string {
	in.t.Helper()
	checks := make(map[string][]string)
	for _, m := range in.members {
		in.wait(func() error {
			b, err := get("http://" + m.admin + "/readyz")
			if err != nil {
				return fmt.Errorf("%s: %w\n%s", m.role, err, m.log)
			}
			var body struct{ Checks map[string]string }
			checks[m.role] = nil
			err = json.Unmarshal(b, &body)
			checks[m.role] = slices.Sorted(maps.Keys(body.Checks))
			return err
		})
	}
	return checks
}

// TestRoles runs each role in processes of its own, two of most. While events come, one that matches and one that correlates
// are killed: the incidents are those of replay, and each is told of once, for both that tell of them live.
func TestRoles(t *testing.T) {
	t.Parallel()
	hook := newHook(t)
	in := newInstallation(t, fmt.Sprintf("alert:\n  receivers: [{name: hook, type: webhook, url: %q}]\n  routes: [{receiver: hook}]\n", hook.URL),
		roleIngest, roleMatch, roleMatch, roleCorrelate, roleCorrelate, roleAlert, roleAlert, roleAPI)
	if d := cmp.Diff(map[string][]string{
		roleIngest: {"stream"}, roleMatch: {"stream"}, roleCorrelate: {"partitions", "store", "stream"}, roleAlert: {"store"},
		roleAPI: {"rules", "store", "stream"},
	}, in.ready()); d != "" {
		t.Errorf("what /readyz looks at, by role (-want +got):\n%s", d)
	}
	if b, err := get("http://" + in.api + "/api/v1/audit?operation=" + startServer); err != nil || strings.Count(string(b), startServer+`","object`) != 1 {
		t.Errorf("not the one process with %s has its start in the audit log: %v %s", roleAPI, err, b)
	}
	events := attackEvents(30_000, time.Now().Add(-10*time.Second))
	want := wanted(t, events)
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		sendAsVector(t, "http://"+in.ingest+"/ingest/vector", events)
	}()
	in.wait(func() error { return hook.complete(1, 0) }) // every role has done something
	killed := []*member{in.of(roleMatch)[0], in.of(roleCorrelate)[0]}
	for _, m := range killed {
		_ = m.cmd.Process.Kill()
		<-m.done
	}
	select {
	case <-sent:
		t.Error("all was sent before anybody was killed: they were under no load")
	default:
	}
	<-sent
	in.wait(func() error {
		if d := cmp.Diff(want, stored(t, in.store)); d != "" {
			return fmt.Errorf("the incidents are not those of replay (-want +got):\n%s", d)
		}
		return nil
	}, killed...)
	in.wait(func() error { return hook.complete(len(want), 0) }, killed...)
	in.wait(func() error { return in.decided(len(want)) }, killed...)
	for _, m := range in.members {
		if !slices.Contains(killed, m) {
			in.numbers(m)
			m.stop(t)
		}
		files, err := os.ReadDir(m.data)
		if m.role == roleAPI && len(files) == 1 && files[0].Name() == auditKeyFile {
			files = nil // where none is configured, it signs by one of its own
		}
		if err != nil || len(files) > 0 {
			t.Errorf("the process with %s keeps %v in its data directory (%v)", m.role, files, err)
		}
	}
}

// decided reports whether the API, whose process does none of it, says that all is matched, correlated and told.
func (in *installation) decided(incidents int) error {
	b, err := get("http://" + in.api + "/api/v1/status")
	if err != nil {
		return err
	}
	var st struct {
		MatchLag     uint64           `json:"match_lag"`
		CorrelateLag uint64           `json:"correlate_lag"`
		Outbox       int64            `json:"outbox"`
		Rules        int              `json:"rules"`
		Incidents    map[string]int64 `json:"incidents"`
	}
	if err := json.Unmarshal(b, &st); err != nil {
		return err
	}
	var n int64
	for _, x := range st.Incidents {
		n += x
	}
	// The clock's marker of this second may be on its way.
	if st.MatchLag > 1 || st.CorrelateLag > 16 || st.Outbox > 0 || st.Rules == 0 || n != int64(incidents) {
		return fmt.Errorf("the status is %s, want %d incidents and nothing that waits", b, incidents)
	}
	return nil
}

// numbers are those of a process's role, and of no other.
func (in *installation) numbers(m *member) {
	in.t.Helper()
	b, err := get("http://" + m.admin + "/metrics")
	if err != nil {
		in.t.Error(err)
	}
	for name, roles := range map[string][]string{
		"tocsin_ingest_records_total": {roleIngest}, "tocsin_match_floor": {roleMatch}, "tocsin_match_lag_messages": {roleMatch, roleAPI},
		"tocsin_correlate_messages_total": {roleCorrelate}, "tocsin_correlate_cells": {roleCorrelate},
		"tocsin_outbox_pending": {roleAlert, roleAPI}, "tocsin_rules_reload_successful": {roleAPI},
		"tocsin_rules": {roleIngest, roleMatch, roleCorrelate, roleAPI},
	} {
		if has, should := strings.Contains(string(b), "# HELP "+name+" "), slices.Contains(roles, m.role); has != should {
			in.t.Errorf("the process with %s has %s: %t, want %t", m.role, name, has, should)
		}
	}
}
