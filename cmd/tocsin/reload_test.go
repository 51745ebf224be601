// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tocsin/api"
	"tocsin/incident"
	"tocsin/stream/natstest"
)

// volume is a folder of rules as the kubelet makes it of a ConfigMap: links to a folder that is exchanged whole.
type volume struct {
	t    *testing.T
	path string
	n    int
}

func newVolume(t *testing.T, text string) *volume {
	v := &volume{t: t, path: t.TempDir()}
	v.put(text)
	if err := os.Symlink(filepath.Join("..data", "a.yml"), filepath.Join(v.path, "a.yml")); err != nil {
		t.Fatal(err)
	}
	return v
}

func (v *volume) put(text string) {
	v.t.Helper()
	v.n++
	folder := fmt.Sprintf("..2026_%d", v.n)
	next := filepath.Join(v.path, "..data_tmp")
	err := errors.Join(
		os.Mkdir(filepath.Join(v.path, folder), 0o700),
		os.WriteFile(filepath.Join(v.path, folder, "a.yml"), []byte(text), 0o600),
		os.Symlink(folder, next),
		os.Rename(next, filepath.Join(v.path, "..data")),
	)
	if err != nil {
		v.t.Fatal(err)
	}
}

// logins is a rule about failed logins, and others.
func logins(title string, n int, more ...string) string {
	text := fmt.Sprintf("rule: logins\ntitle: %s\nseverity: high\nmatch: {failed: 'event.outcome == \"failure\"'}\n"+
		"when: count(failed) >= %d\nby: user.name\nwithin: 10m\n", title, n)
	for _, id := range more {
		text += fmt.Sprintf("---\nrule: %s\ntitle: more\nseverity: low\nmatch: {never: 'user.name == \"nobody\"'}\nby: user.name\n", id)
	}
	return text
}

// inForce waits for rules, of which there are so many.
func (s *serving) inForce(n int) (set string) {
	s.t.Helper()
	waitFor(s.t, 60*time.Second, func() bool { return true }, func() error {
		var st api.Status
		s.get("/api/v1/status", &st)
		if set = st.Set; st.Rules != n {
			return fmt.Errorf("%d rules in force, want %d", st.Rules, n)
		}
		return nil
	})
	return set
}

func (s *serving) reload(out any) int {
	s.t.Helper()
	req, err := http.NewRequest(http.MethodPost, "http://"+s.node.api.Addr().String()+"/api/v1/rules/reload", nil)
	if err != nil {
		s.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+s.node.cfg.API.Token)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(out); err != nil {
		s.t.Fatal(err)
	}
	return resp.StatusCode
}

// admin returns what /readyz or /metrics says.
func (s *serving) admin(path string) (int, string) {
	s.t.Helper()
	resp, err := http.Get("http://" + s.node.admin.Addr().String() + path)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}

func (s *serving) incidents() []incident.View {
	s.t.Helper()
	s.settled()
	var all struct {
		Items []incident.View `json:"items"`
	}
	s.get("/api/v1/incidents", &all)
	return all.Items
}

// TestReload changes rules under a running tocsin as a ConfigMap does: a rule that means what it meant keeps what it has
// seen; files with a mistake change nothing, and all who look are told.
func TestReload(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	vol := newVolume(t, logins("old", 2))
	s := serveHere(t, "sqlite:"+filepath.Join(data, "tocsin.db"), data, func(c *Config) { c.Rules = []string{vol.path} })
	now := time.Now()
	s.login("ana", "1", now, "failure")
	s.settled()
	vol.put(logins("new", 2, "another"))
	good := s.inForce(2)
	s.settled() // the clock is past the change
	s.login("ana", "2", now, "failure")
	all := s.incidents()
	if len(all) != 1 || all[0].Rule.Title != "new" || all[0].EventCount != 2 {
		t.Fatalf("incidents: %+v, want one of both events, with the new title", all)
	}

	vol.put(strings.Replace(logins("new", 2), "count(failed)", "count(faild)", 1))
	waitFor(t, 60*time.Second, func() bool { return true }, func() error {
		code, text := s.admin("/readyz")
		if code != http.StatusOK || !strings.Contains(text, "a.yml:") || !strings.Contains(text, `did you mean \"failed\"?`) {
			return fmt.Errorf("/readyz: %d %s", code, text)
		}
		return nil
	})
	if _, text := s.admin("/metrics"); !strings.Contains(text, "\ntocsin_rules_reload_successful 0\n") {
		t.Error("the metric does not say that the files are wrong")
	}
	var problem struct {
		Errors []struct{ Message string } `json:"errors"`
	}
	if code := s.reload(&problem); code != http.StatusUnprocessableEntity || len(problem.Errors) != 1 || !strings.Contains(problem.Errors[0].Message, "a.yml:") {
		t.Errorf("reload of files with a mistake: %d %+v", code, problem)
	}
	if set := s.inForce(2); set != good {
		t.Errorf("the set %s is in force, want %s", set, good)
	}

	vol.put(logins("new", 3, "another"))
	var out api.Reloaded
	waitFor(t, 60*time.Second, func() bool { return true }, func() error { // the folder may have been seen before we ask
		if code := s.reload(&out); code != http.StatusOK {
			return fmt.Errorf("reload: %d", code)
		}
		return nil
	})
	if text := out.Reset; out.Changed && !cmp.Equal(text, []string{"logins"}) {
		t.Errorf("the reload reset %v, want logins", text)
	}
	if out.Set == good || out.Rules != 2 {
		t.Errorf("after the reload: %+v", out)
	}
	s.login("ana", "3", now, "failure")
	if all := s.incidents(); len(all) != 1 || all[0].EventCount != 2 {
		t.Errorf("incidents %+v: the third event is the first for a rule that means something else", all)
	}
	if _, text := s.admin("/readyz"); !strings.Contains(text, `"rules":"ok"`) {
		t.Errorf("/readyz of good files: %s", text)
	}
}

// TestReloadBySignal: SIGHUP reads the files again. It is not parallel to others: the signal reaches all that serve in this
// process.
func TestReloadBySignal(t *testing.T) {
	data := t.TempDir()
	vol := newVolume(t, logins("old", 2))
	s := serveHere(t, "sqlite:"+filepath.Join(data, "tocsin.db"), data, func(c *Config) { c.Rules = []string{vol.path} })
	if err := syscall.Kill(os.Getpid(), syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	waitFor(t, 60*time.Second, func() bool { return true }, func() error {
		if _, text := s.admin("/metrics"); !strings.Contains(text, `tocsin_rules_reloads_total{outcome="unchanged"} 1`) {
			return errors.New("SIGHUP reloaded nothing")
		}
		return nil
	})
}

// TestReloadIsTriedAgain: rules that are right and could not be put in force, since NATS is away, are tried again without
// another change.
func TestReloadIsTriedAgain(t *testing.T) {
	t.Parallel()
	w := watchRules([]string{newVolume(t, logins("old", 2)).path}, slog.New(slog.DiscardHandler))
	defer w.close()
	ctx, cancel := context.WithCancel(t.Context())
	hup := make(chan os.Signal, 1)
	hup <- syscall.SIGHUP
	tries := 0
	w.run(ctx, hup, func() bool {
		if tries++; tries == 3 {
			cancel()
		}
		return tries < 3
	})
	if tries != 3 {
		t.Errorf("tried %d times", tries)
	}
}

// TestReloadReachesOthers: rules that one process reloads are in force in all of them.
func TestReloadReachesOthers(t *testing.T) {
	t.Parallel()
	cluster := natstest.Start(t, 3, nil)
	where := freshDatabase(t)
	var all [2]*serving
	var vol [2]*volume
	for i := range all {
		vol[i] = newVolume(t, logins("old", 2))
		all[i] = serveHere(t, where, t.TempDir(), onCluster(cluster), func(c *Config) { c.Rules = []string{vol[i].path} })
	}
	vol[0].put(logins("new", 2, "another"))
	if a, b := all[0].inForce(2), all[1].inForce(2); a != b {
		t.Errorf("one has %s in force, the other %s", a, b)
	}
	// The other follows the files that changed last.
	vol[1].put(logins("newest", 2, "another", "third"))
	if a, b := all[0].inForce(3), all[1].inForce(3); a != b {
		t.Errorf("one has %s in force, the other %s", a, b)
	}
}

// TestUpgrade starts on what another version left: a Set, and matches of its rules, under names that this version would not
// give them. It reads on, and its own rules begin where it does.
func TestUpgrade(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	where := "sqlite:" + filepath.Join(data, "tocsin.db")
	vol := newVolume(t, logins("now", 2))
	rulesHere := func(c *Config) { c.Rules = []string{vol.path} }
	s := serveHere(t, where, data, rulesHere)
	kept, err := s.node.sets.Current().Encode()
	if err != nil {
		t.Fatal(err)
	}
	kept = []byte(strings.Replace(string(kept), s.node.sets.Current().ByID("logins").Revision, "then", 1))
	ctx := t.Context()
	if err := s.node.streams.PutSet(ctx, "ofthen", kept); err != nil {
		t.Fatal(err)
	}
	if _, err := s.node.streams.NameSet(ctx, "ofthen"); err != nil {
		t.Fatal(err)
	}
	waitFor(t, 60*time.Second, func() bool { return true }, func() error {
		if hash := s.node.sets.Stamp().Set; hash != "ofthen" {
			return fmt.Errorf("%s is current", hash)
		}
		return nil
	})
	now := time.Now()
	s.login("ana", "1", now, "failure")
	s.login("ana", "2", now, "failure")
	s.login("bob", "3", now, "failure")
	if all := s.incidents(); len(all) != 1 || all[0].Rule.Revision != "then" {
		t.Fatalf("incidents %+v, want one of the rule as it was named then", all)
	}
	s.stop()
	if err := os.Remove(filepath.Join(data, "tocsin.db")); err != nil { // all is read again from the log
		t.Fatal(err)
	}
	s = serveHere(t, where, data, rulesHere)
	s.login("ana", "4", now, "failure")
	s.login("bob", "5", now, "failure")
	s.login("bob", "6", now, "failure")
	all := s.incidents()
	got := make(map[string]int64)
	for _, in := range all {
		got[fmt.Sprint(in.Rule.Revision, " ", in.Key["user.name"])] = in.EventCount
	}
	if want := map[string]int64{"then ana": 2, s.node.sets.Current().ByID("logins").Revision + " bob": 2}; !cmp.Equal(got, want) {
		t.Error(cmp.Diff(want, got))
	}
}
