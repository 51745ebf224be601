// SPDX-License-Identifier: Apache-2.0

package vectorgrpc_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"math"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tocsin/event"
	"tocsin/ingest"
	"tocsin/ingest/vector"
	"tocsin/ingest/vectortest"
)

// kinds are values as Vector has them, and what its http sink writes for them.
var kinds = []struct {
	name string
	v    any
	json string
}{
	{"text", "ana", `"ana"`},
	{"no text", "", `""`},
	{"escapes", "a\"b\\c\n\r\t\b\f\x01\x1f\x7f<&>\u2028é😀", `"a\"b\\c\n\r\t\b\f\u0001\u001f` + "\x7f<&>\u2028é😀\""},
	{"bytes that are no UTF-8", []byte("a\xffb\xe2\x82c\xf0\x9f\x98\xed\xa0\x80d\xc0\xafe\xf4\x90\xe1"),
		`"a` + "\uFFFDb\uFFFDc\uFFFD\uFFFD\uFFFD\uFFFDd\uFFFD\uFFFDe\uFFFD\uFFFD\uFFFD\""},
	{"U+FFFD itself", "\uFFFD", `"` + "\uFFFD" + `"`},
	{"seconds", time.Unix(1787307330, 0), `"2026-08-21T10:15:30Z"`},
	{"milliseconds", time.Unix(1787307330, 120_000_000), `"2026-08-21T10:15:30.120Z"`},
	{"microseconds", time.Unix(1787307330, 123_456_000), `"2026-08-21T10:15:30.123456Z"`},
	{"nanoseconds", time.Unix(1787307330, 123_456_789), `"2026-08-21T10:15:30.123456789Z"`},
	{"before the epoch", time.Unix(-1, 1), `"1969-12-31T23:59:59.000000001Z"`},
	{"the epoch", time.Unix(0, 0), `"1970-01-01T00:00:00Z"`},
	{"after 9999", time.Unix(253402300800, 0), `"+10000-01-01T00:00:00Z"`},
	{"before 0", time.Unix(-62198755200, 0), `"-0001-01-01T00:00:00Z"`},
	{"integer", 7, `7`},
	{"zero", 0, `0`},
	{"least integer", int64(math.MinInt64), `-9223372036854775808`},
	{"greatest integer", int64(math.MaxInt64), `9223372036854775807`},
	{"above 2^53", int64(1<<53 + 1), `9007199254740993`},
	{"float", 1.5, `1.5`},
	{"whole float", 3.0, `3.0`},
	{"no float", 0.0, `0.0`},
	{"negative zero", math.Copysign(0, -1), `-0.0`},
	{"great float", 1.7976931348623157e308, `1.7976931348623157e+308`},
	{"small float", 5e-324, `5e-324`},
	{"float of 16 digits", 1e15, `1000000000000000.0`},
	{"float of 17 digits", 1e16, `1e+16`},
	{"float below one", 0.00001, `0.00001`},
	{"float of one digit of exponent", 1.25e-7, `1.25e-7`},
	{"NaN", math.NaN(), `null`},
	{"infinite", math.Inf(1), `null`},
	{"less than all", math.Inf(-1), `null`},
	{"true", true, `true`},
	{"false", false, `false`},
	{"null", nil, `null`},
	{"array", []any{1, "x", nil, []any{}, map[string]any{}}, `[1,"x",null,[],{}]`},
	{"map", map[string]any{"b": 1, "a": map[string]any{"": true}, "é": 2.5}, `{"a":{"":true},"b":1,"é":2.5}`},
	{"dotted keys", map[string]any{"a.b": 1, "\"q\"": 2}, `{"\"q\"":2,"a.b":1}`},
}

// TestEveryKindOfValue: the parser makes of each value what it makes of the text that Vector's http sink writes.
func TestEveryKindOfValue(t *testing.T) {
	t.Parallel()
	var s stream
	to := sink(t, serve(t, s.config()))
	var logs []vectortest.Log
	for i, k := range kinds {
		logs = append(logs, vectortest.Log{Root: map[string]any{"v": k.v, "message": "m", "timestamp": time.Unix(1787307330, 5)}, ID: id(byte(i))})
	}
	if err := to.Send(t.Context(), logs...); err != nil {
		t.Fatal(err)
	}
	if len(s.records) != len(kinds) {
		t.Fatalf("%d records of %d", len(s.records), len(kinds))
	}
	for i, k := range kinds {
		rec := s.records[i]
		want := fmt.Sprintf(`{"message":"m","timestamp":"2026-08-21T10:15:30.000000005Z","v":%s,%q:"0b6c1f4e-7f6e-4a58-9c5e-3b0a7d1f2c%02x"}`, k.json, vector.SourceEventID, i)
		if string(rec.Raw) != want {
			t.Errorf("%s: %s, want %s", k.name, rec.Raw, want)
		}
		if rec.Source != "vector" || rec.Input != "vector" {
			t.Errorf("%s: input %q, source %q", k.name, rec.Input, rec.Source)
		}
		http := rec
		http.Raw = fmt.Appendf(nil, `{"message":"m","timestamp":"2026-08-21T10:15:30.000000005Z","v":%s}`, k.json)
		equalEvents(t, k.name, parse(t, http), parse(t, rec))
	}
}

// equalEvents compares all but the identity, which only one of the routes may carry.
func equalEvents(t *testing.T, name string, http, native *event.Event) {
	t.Helper()
	got, want := native.Fields(), http.Fields()
	delete(got, "event.id")
	delete(want, "event.id")
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("%s: fields (-http +native):\n%s", name, d)
	}
	object, _ := native.Object().Any().(map[string]any)
	delete(object, vector.SourceEventID)
	if d := cmp.Diff(http.Object().Any(), any(object)); d != "" {
		t.Errorf("%s: raw (-http +native):\n%s", name, d)
	}
	if http.Time != native.Time {
		t.Errorf("%s: time %d and %d", name, http.Time, native.Time)
	}
}

// TestBothRoutesAreOneEvent: where an event has an id of its own, it is the same event whichever sink sent it.
func TestBothRoutesAreOneEvent(t *testing.T) {
	t.Parallel()
	at := time.Unix(1787307330, 123456789)
	kube := map[string]any{
		"container_name": "web", "pod_name": "web-1", "pod_namespace": "shop", "pod_uid": "0b6c1f4e", "pod_node_name": "node-a",
		"pod_labels": map[string]any{"app": "web"}, "pod_ips": []any{"10.42.0.17"},
	}
	logs := []vectortest.Log{
		{Root: map[string]any{"kubernetes": kube, "message": "login failed", "stream": "stdout", "timestamp": at, "source_type": "kubernetes_logs"}, ID: id(1)},
		{Root: map[string]any{"file": "/l", "host": "h", "offset": 7, "message": "x", "source_type": "file", "timestamp": at}, ID: id(2)},
		{Root: map[string]any{"event.id": "e-1", "user.name": "ana", "source": map[string]any{"ip": "203.0.113.9", "port": 443}, "message": "x"}, ID: id(3)},
		{Root: map[string]any{"host": "h", "appname": "sshd", "severity": "warning", "message": "no id"}, ID: id(4)},
		{Root: map[string]any{"host": "h", "message": "an older Vector"}},
	}
	var native, posted stream
	if err := sink(t, serve(t, native.config())).Send(t.Context(), logs...); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(ingest.NewHandler(ingest.HandlerConfig{
		Commit: posted.commit, Quarantine: posted.quarantine, Log: slog.New(slog.DiscardHandler),
	}))
	t.Cleanup(server.Close)
	var events []map[string]any
	for _, l := range logs {
		// encoding/json writes times and texts of these as Vector does.
		m := l.Root.(map[string]any)
		if _, ok := m["timestamp"]; ok {
			m["timestamp"] = at.UTC()
		}
		events = append(events, m)
	}
	http := vectortest.Sink{URL: server.URL + "/ingest/vector", Client: server.Client()}
	if err := http.Send(t.Context(), events); err != nil {
		t.Fatal(err)
	}
	for i := range logs {
		a, b := parse(t, posted.records[i]), parse(t, native.records[i])
		if same := a.ID == b.ID; same != (i != 3) {
			t.Errorf("event %d: the same identity is %t", i, same)
		}
		equalEvents(t, fmt.Sprint("event ", i), a, b)
	}
}

// TestRoots: what stands at the root, and which of the places that a log has counts.
func TestRoots(t *testing.T) {
	t.Parallel()
	value := vectortest.EncodeValue(map[string]any{"message": "value"})
	fields := vectortest.Message(nil, 1, vectortest.Message(vectortest.Message(nil, 1, []byte("message")), 2, vectortest.EncodeValue("fields")))
	both := vectortest.Message(fields, 2, value)
	twice := append(bytes.Clone(fields), vectortest.Message(nil, 1, vectortest.Message(vectortest.Message(nil, 1, []byte("message")), 2, vectortest.EncodeValue("again")))...)
	unknown := vectortest.Message(vectortest.Message(bytes.Clone(fields), 90, []byte("later")), 1, vectortest.Message(vectortest.Message(nil, 1, []byte("n")), 2, vectortest.Message(nil, 12, []byte("a new kind"))))
	tests := []struct {
		name    string
		wrapper []byte
		want    string // "" is quarantine
	}{
		{"an object", vectortest.EncodeLog(vectortest.Log{Root: map[string]any{"message": "x"}}), `{"message":"x"}`},
		{"an empty object", vectortest.EncodeLog(vectortest.Log{Root: map[string]any{}}), `{}`},
		{"a text", vectortest.EncodeLog(vectortest.Log{Root: "a line"}), `{"message":"a line"}`},
		{"the value goes before the fields", vectortest.Message(nil, 1, both), `{"message":"value"}`},
		{"of a key that stands twice the last", vectortest.Message(nil, 1, twice), `{"message":"again"}`},
		{"keys in another order", vectortest.Message(nil, 1, append(vectortest.Message(nil, 1, vectortest.Message(vectortest.Message(nil, 1, []byte("z")), 2, value)), fields...)), `{"message":"fields","z":{"message":"value"}}`},
		{"unknown fields and kinds", vectortest.Message(nil, 1, unknown), `{"message":"fields","n":null}`},
		{"an id of a wrong length is none", vectortest.EncodeLog(vectortest.Log{Root: map[string]any{"a": 1}, ID: []byte("short")}), `{"a":1}`},
		{"an id that is no id is none", vectortest.EncodeLog(vectortest.Log{Root: map[string]any{"a": 1}, ID: []byte{}}), `{"a":1}`},
		{"a number", vectortest.EncodeLog(vectortest.Log{Root: 7}), ""},
		{"an array", vectortest.EncodeLog(vectortest.Log{Root: []any{"x"}}), ""},
		{"null", vectortest.EncodeLog(vectortest.Log{Root: nil}), ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var s stream
			if err := sink(t, serve(t, s.config())).Push(t.Context(), vectortest.EncodeRequest(tt.wrapper)); err != nil {
				t.Fatal(err)
			}
			if tt.want == "" {
				if len(s.records) != 0 || len(s.bad) != 1 || s.bad[0].Reason != "no_object" {
					t.Errorf("records %v, quarantine %v", s.records, s.bad)
				}
				return
			}
			if len(s.bad) != 0 || len(s.records) != 1 || string(s.records[0].Raw) != tt.want || !json.Valid(s.records[0].Raw) {
				t.Errorf("records %v, quarantine %v, want %s", s.records, s.bad, tt.want)
			}
		})
	}
}
