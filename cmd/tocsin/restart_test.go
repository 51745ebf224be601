// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// BenchmarkRestartOfAMillion is the time from the start of a process, whose predecessor was killed with a million live windows,
// until all of them are there again.
func BenchmarkRestartOfAMillion(b *testing.B) {
	for kind, url := range map[string]func(data string) string{
		"sqlite":   func(data string) string { return "sqlite:" + filepath.Join(data, "tocsin.db") },
		"postgres": func(string) string { return freshDatabase(b) },
	} {
		b.Run(kind, func(b *testing.B) { restartOf(b, 1_000_000, url) })
	}
}

func restartOf(b *testing.B, windows int, url func(string) string) {
	data := b.TempDir()
	rule := filepath.Join(data, "rules.yml")
	rules := "rule: many\ntitle: t\nseverity: low\nmatch: {x: 'event.action == \"login\"'}\nwhen: count(x) >= 2\nby: user.name\nwithin: 24h\n"
	if err := os.WriteFile(rule, []byte(rules), 0o600); err != nil {
		b.Fatal(err)
	}
	ingestAt, admin := freePort(b), freePort(b)
	p := &process{env: []string{
		"TOCSIN_DATA=" + data, "TOCSIN_RULES=" + rule, "TOCSIN_STORE_URL=" + url(data), "TOCSIN_INGEST_LISTEN=" + ingestAt,
		"TOCSIN_API_LISTEN=127.0.0.1:0", "TOCSIN_ADMIN_LISTEN=" + admin,
	}}
	cells := func() (v float64) {
		resp, err := http.Get("http://" + admin + "/metrics")
		if err != nil {
			return -1
		}
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		if err != nil {
			return -1
		}
		for line := range strings.Lines(string(text)) {
			if rest, ok := strings.CutPrefix(line, "tocsin_correlate_cells "); ok {
				_, _ = fmt.Sscan(rest, &v) // a line of Prometheus's
			}
		}
		return v
	}
	has := func(want int) {
		b.Helper()
		waitFor(b, 300*time.Second, p.running, func() error {
			if got := cells(); got < float64(want) {
				return fmt.Errorf("%v windows, want %d", got, want)
			}
			return nil
		})
	}
	post := func(from, to int, id string) {
		var body strings.Builder
		at := time.Now().UTC().Format(time.RFC3339Nano)
		for i := from; i < to; i++ {
			fmt.Fprintf(&body, `{"event.id":"%s%d","timestamp":%q,"event.action":"login","user.name":"user-%d"}`+"\n", id, i, at, i)
		}
		postBody(b, http.DefaultClient, "http://"+ingestAt+"/ingest/vector", []byte(body.String()))
	}
	p.start(b, "")
	has(0)
	for i := 0; i < windows; i += 1000 {
		post(i, i+1000, "a")
	}
	has(windows)
	p.stop(b) // with a snapshot of all
	p.start(b, "")
	has(windows)
	for b.Loop() {
		_ = p.cmd.Process.Kill()
		<-p.done
		at := time.Now()
		p.start(b, "")
		has(windows)
		b.ReportMetric(time.Since(at).Seconds(), "s")
	}
	rss, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		b.Fatal(err)
	}
	for line := range strings.Lines(string(rss)) {
		var kib float64
		if _, err := fmt.Sscanf(line, "VmHWM: %f kB", &kib); err == nil {
			b.ReportMetric(kib/1024, "MiB-peak")
		}
	}
	p.stop(b)
}
