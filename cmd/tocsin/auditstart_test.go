// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"tocsin/api"
)

// TestEachStartIsInTheAuditLog: by which version and configuration a process ran is found afterwards, also if nobody asked anything of it.
func TestEachStartIsInTheAuditLog(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	var want []string
	for _, lateness := range []time.Duration{time.Minute, 2 * time.Minute} {
		s := serveHere(t, "sqlite:"+filepath.Join(data, "tocsin.db"), data, func(c *Config) { c.Lateness = lateness })
		sum, err := s.node.cfg.sum()
		if err != nil {
			t.Fatal(err)
		}
		want = slices.Insert(want, 0, fmt.Sprintf("system start-server done tocsin %s, config_sha256 %s", version, sum))
		out, errs, code := s.command(s.node.cfg.API.Token, "audit", "-o", "json")
		var log []api.AuditView
		if err := json.Unmarshal([]byte(out), &log); err != nil {
			t.Fatalf("%d %v: %s%s", code, err, out, errs)
		}
		var got []string
		for _, e := range log {
			got = append(got, fmt.Sprintf("%s %s %s %s", e.Actor, e.Operation, e.Outcome, e.Object))
		}
		if !slices.Equal(got, want) {
			t.Errorf("the audit log is %q, want %q", got, want)
		}
		s.stop()
	}
	if want[0] == want[1] {
		t.Error("two configurations have one hash")
	}
}
