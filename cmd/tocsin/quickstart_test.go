// SPDX-License-Identifier: Apache-2.0

package main

import (
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestQuickstart does what docs/quickstart.md says, in its order: its commands and requests, on what the demo shows. The console's
// tests press its keys and take its pictures.
func TestQuickstart(t *testing.T) {
	t.Parallel()
	text, dir, data := page(t, "docs/quickstart.md"), t.TempDir(), t.TempDir()
	if err := os.CopyFS(dir, os.DirFS("../../rules.d")); err != nil {
		t.Fatal(err)
	}
	s := serveHere(t, "sqlite:"+filepath.Join(data, "tocsin.db"), data, func(c *Config) { c.Rules = []string{dir} })
	shipped := len(s.node.sets.Current().Rules)
	s.node.playDemo(t.Context(), io.Discard)
	s.settled()
	for _, title := range regexp.MustCompile(`(?m)^  (?:critical|high) +(.*?)  \(`).FindAllStringSubmatch(text, -1) {
		if out, _, _ := s.command(s.node.cfg.API.Token, "incidents", "list"); !strings.Contains(out, title[1]) {
			t.Errorf("the demo has no %q:\n%s", title[1], out)
		}
	}
	address := strings.NewReplacer("http://127.0.0.1:8081", "http://"+s.node.ingest.Addr().String(), "rules.d/", dir+"/")
	commands := 0
	var said string
	for _, block := range regexp.MustCompile("(?s)```(sh|yaml)\n(.*?)```").FindAllStringSubmatch(text, -1) {
		if block[1] == "yaml" {
			if err := os.WriteFile(filepath.Join(dir, "canary.yml"), []byte(block[2]), 0o600); err != nil {
				t.Fatal(err)
			}
			s.inForce(shipped + 1)
			continue
		}
		for line := range strings.Lines(block[2]) {
			commands++
			args := words(address.Replace(strings.TrimSpace(line)), nil)
			switch {
			case args[0] == "make", args[0] == "export":
			case args[0] == "curl":
				if resp, body := curl(t, append([]string{"-X", http.MethodPost}, args[1:]...)); resp.StatusCode != http.StatusOK {
					t.Errorf("%s%s %s", line, resp.Status, body)
				}
			case args[1] == "rules": // it needs no server
				if code := run(t.Context(), args[1:], strings.NewReader(""), io.Discard, io.Discard); code != 0 {
					t.Errorf("%sexit %d", line, code)
				}
			default:
				s.settled()
				out, errs, code := s.command(s.node.cfg.API.Token, args[1:]...)
				if said = out; code != 0 || len(strings.Split(out, "\n")) < 3 {
					t.Errorf("%sexit %d\n%s%s", line, code, out, errs)
				}
			}
		}
	}
	if commands < 8 {
		t.Errorf("the page has %d commands", commands)
	}
	if strings.Count(said, "bo reads the canary") != 1 {
		t.Errorf("at the end there is\n%s", said)
	}
}
