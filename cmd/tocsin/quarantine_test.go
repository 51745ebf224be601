// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tocsin/api"
	"tocsin/event"
	"tocsin/stream"
)

// TestQuarantineIsReleased: what can be read by now becomes the event that it would have been, once, at the time when it came; what
// cannot stays, and says why.
func TestQuarantineIsReleased(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	s := serveHere(t, "sqlite:"+filepath.Join(data, "tocsin.db"), data)
	admin := s.node.cfg.API.Token
	s.post(`{"oops`) // the front refuses it
	good := []byte(`{"user.name":"ana"}`)
	entries := []stream.Quarantined{
		{Record: event.Record{Input: "app", Source: "app", Raw: good, Ordinal: 1}, Reason: "malformed_app", Detail: "an older parser could not read it"},
		{Record: event.Record{Input: "app", Source: "falco", Raw: []byte(`{"rule":"x"}`)}, Reason: "malformed_falco", Detail: "no priority"},
		{Record: event.Record{Input: "app", Source: "app", Raw: []byte("a\xffb")}, Reason: "damaged_compression", Detail: "unexpected EOF"},
	}
	if err := s.node.streams.Quarantine(t.Context(), entries); err != nil {
		t.Fatal(err)
	}
	var page struct {
		Items      []api.QuarantineView
		NextCursor string `json:"next_cursor"`
	}
	var ids []string
	for path := "/api/v1/quarantine?limit=3"; path != ""; {
		page.Items = nil
		if code := s.get(path, &page); code != http.StatusOK {
			t.Fatal(code)
		}
		for _, v := range page.Items {
			ids = append(ids, v.ID)
		}
		if path = ""; page.NextCursor != "" {
			path = "/api/v1/quarantine?limit=3&cursor=" + page.NextCursor
		}
	}
	if len(ids) != 4 {
		t.Fatalf("entries are %v", ids)
	}
	out, _, _ := s.command(admin, "quarantine", "list", "--reason", "malformed_json", "--since", "1h")
	if !strings.Contains(out, ids[3]) || strings.Count(out, "\n") != 2 || !strings.Contains(out, `{"oops`) {
		t.Errorf("list:\n%s", out)
	}
	if out, _, _ = s.command(admin, "quarantine", "list", "--reason", "malformed_falco"); !strings.Contains(out, "  no priority  ") {
		t.Errorf("list does not say why:\n%s", out)
	}
	if out, _, code := s.command(admin, "quarantine", "show", ids[0]); code != 0 || out != "a\xffb\n" {
		t.Errorf("show: %d %q", code, out)
	}
	for id, want := range map[string]string{
		ids[0]: "compressed and damaged", ids[1]: "malformed_falco", ids[3]: "malformed_json", "1.0": "there is none with this id", "x": "expected string to match",
	} {
		if _, errs, code := s.command(admin, "quarantine", "release", id); code != 1 || !strings.Contains(errs, want) {
			t.Errorf("release of %s: %d %s, want %s", id, code, errs, want)
		}
	}
	// The same record, taken in by the front after one that is equal, is the same event.
	s.post(string(good), string(good))
	found := func() (out api.EventPage) {
		if code := s.get("/api/v1/events?source=app", &out); code != http.StatusOK {
			t.Fatal(code)
		}
		return out
	}
	before := found()
	if out, errs, code := s.command(admin, "quarantine", "release", ids[2]); code != 0 || out != ids[2]+": 1 events\n" {
		t.Fatalf("release: %d %s%s", code, out, errs)
	}
	after := found()
	if len(before.Items) != 2 || len(after.Items) != 3 || after.Items[0].EventID != before.Items[0].EventID {
		t.Fatalf("released is %+v\nwanted one equal to the first of %+v", after.Items, before.Items)
	}
	if e := after.Items[0]; e.Time >= before.Items[0].Arrival || e.Arrival <= before.Items[0].Arrival {
		t.Errorf("it happened %s and arrived %s, not before and after %s", e.Time, e.Arrival, before.Items[0].Arrival)
	}
	out, errs, code := s.command(admin, "quarantine", "release", "--all", "--since", "1h")
	if code != 0 || !strings.Contains(out, "1 entries released, 1 events") || strings.Count(out, "1 stay: ") != 3 {
		t.Errorf("all: %d %s%s", code, out, errs)
	}
	if n := len(found().Items); n != 3 {
		t.Errorf("released twice there are %d events, want 3", n)
	}
	if out, _, _ := s.command(admin, "quarantine", "release", "--all", "--source", "none"); !strings.Contains(out, "0 entries released") {
		t.Errorf("of a source that there is not: %s", out)
	}
	if _, errs, code := s.command(admin, "quarantine", "release"); code != 2 || !strings.Contains(errs, "name entries, or --all") {
		t.Errorf("of nothing: %d %s", code, errs)
	}
	if out, _, _ := s.command(admin, "quarantine", "list", "--until", fmt.Sprint(time.Now().Add(-time.Hour).UTC().Format(time.RFC3339))); strings.Count(out, "\n") != 1 {
		t.Errorf("before an hour ago: %s", out)
	}
}

// TestRowsEndWithTheLine: a terminal gets no more of a row than its line has room for, and is told where there is more.
func TestRowsEndWithTheLine(t *testing.T) {
	t.Parallel()
	l := listing[string]{header: "ID\tWHY", row: func(s string) string { return s }}
	for width, want := range map[int]string{
		0:  "ID   WHY\n1.0  ünlesbar ab der Mitte\n2.0  no\n",
		13: "ID   WHY\n1.0  ünlesba…\n2.0  no\n",
		27: "ID   WHY\n1.0  ünlesbar ab der Mitte\n2.0  no\n",
	} {
		var out strings.Builder
		if err := l.table(&out, []string{"1.0\tünlesbar ab der Mitte", "2.0\tno"}, width); err != nil || out.String() != want {
			t.Errorf("in %d columns: %v\n%swant\n%s", width, err, out.String(), want)
		}
	}
}
