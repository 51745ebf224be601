// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"tocsin/proof"
)

// TestCheckpointsAreAnchored: a server gives its checkpoints to a file and to an address by itself; what the file has last is what the log is
// compared with, and a log that was changed is found out by it.
func TestCheckpointsAreAnchored(t *testing.T) {
	t.Parallel()
	came := make(chan string, 100)
	other := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		b, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		came <- r.Method + " " + r.URL.Path + " " + r.Header.Get("X-Tenant") + "\n" + string(b)
	}))
	t.Cleanup(other.Close)
	data := t.TempDir()
	file := filepath.Join(t.TempDir(), "checkpoints")
	s := serveHere(t, "sqlite:"+filepath.Join(data, "tocsin.db"), data, func(c *Config) {
		c.Audit.Anchors = []anchorConfig{
			{Name: "disk", File: file, Every: time.Minute},
			{URL: other.URL + "/soc", Method: http.MethodPost, Headers: map[string]string{"X-Tenant": "soc"}, Every: time.Minute},
		}
		if err := c.validate(); err != nil {
			t.Error(err)
		}
	})
	admin := s.node.cfg.API.Token
	head, note, _ := strings.Cut(<-came, "\n")
	if head != "POST /soc soc" {
		t.Errorf("it came as %q", head)
	}
	if tree, err := proof.Checkpoint(note, s.node.auditor.Key.Public()); err != nil || tree.N != 1 {
		t.Errorf("%v, %v:\n%s", tree, err, note)
	}
	waitFor(t, 30*time.Second, func() bool { return true }, func() error {
		if _, metrics := s.admin("/metrics"); !strings.Contains(metrics, `tocsin_audit_anchor_last_success_timestamp_seconds{anchor="disk"} 1.`) {
			return errors.New("the file has none")
		}
		return nil
	})
	for _, name := range []string{"one", "two"} {
		if out, errs, code := s.command(admin, "tokens", "create", name, "--role", "viewer", "--expires", "1h"); code != 0 {
			t.Fatalf("%d %s%s", code, out, errs)
		}
	}
	signed, err := s.node.auditor.Seal(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := s.node.anchors.List[0].Keep(t.Context(), signed.Note); err != nil { // as it would be in a minute
		t.Fatal(err)
	}
	if out, errs, code := s.command(admin, "audit", "verify", "--since", file); code != 0 || !strings.Contains(out, "the audit log of 3 entries begins with the 3 of ") {
		t.Errorf("verify: %d %s%s", code, out, errs)
	}
	_, metrics := s.admin("/metrics")
	for _, want := range []string{
		`tocsin_audit_anchor_failures_total{anchor="1"} 0`, `tocsin_audit_anchor_every_seconds{anchor="disk"} 60`,
	} {
		if !strings.Contains(metrics, want) {
			t.Errorf("there is no %s", want)
		}
	}
	forged, err := s.node.auditor.Key.Sign(ofAnotherLog(signed))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.node.anchors.List[0].Keep(t.Context(), forged); err != nil {
		t.Fatal(err)
	}
	if out, errs, code := s.command(admin, "audit", "verify", "--since", file); code != 1 || !strings.Contains(errs, "the audit log was changed since") {
		t.Errorf("verify what is another: %d %s%s", code, out, errs)
	}
}

// ofAnotherLog is the tree of another log with as many entries.
func ofAnotherLog(s proof.Signed) tlog.Tree {
	t := s.Tree
	t.Hash[0] ^= 1
	return t
}
