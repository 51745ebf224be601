// SPDX-License-Identifier: Apache-2.0

package vectorgrpc_test

import (
	"strings"
	"testing"
	"time"

	"tocsin/event"
	"tocsin/ingest"
	"tocsin/ingest/vector"
	"tocsin/ingest/vectortest"
)

// ids sends logs in one request and returns the identities of their Events.
func ids(t *testing.T, token string, logs ...vectortest.Log) []event.ID {
	t.Helper()
	var s stream
	cfg := s.config()
	cfg.Access.Tokens = []ingest.Token{{Name: "edge", Value: "a"}, {Name: "core", Value: "b"}}
	to := sink(t, serve(t, cfg))
	to.Token = token
	if err := to.Send(t.Context(), logs...); err != nil {
		t.Fatal(err)
	}
	var out []event.ID
	for _, rec := range s.records {
		out = append(out, parse(t, rec).ID)
	}
	return out
}

// TestIdentity: what Vector's own id joins and what it does not.
func TestIdentity(t *testing.T) {
	t.Parallel()
	at := time.Unix(1787307330, 5)
	log := func(id []byte, message string) vectortest.Log {
		return vectortest.Log{Root: map[string]any{"message": message, "timestamp": at}, ID: id}
	}
	line := func(id []byte, read time.Time) vectortest.Log {
		return vectortest.Log{Root: map[string]any{"message": "x", "timestamp": read, "source_type": "file", "host": "h", "file": "/l", "offset": 7}, ID: id}
	}
	tests := []struct {
		name  string
		a, b  vectortest.Log
		equal bool
	}{
		{"the same event in another batch, from a buffer on disk", log(id(1), "x"), log(id(1), "x"), true},
		{"two events that look alike", log(id(1), "x"), log(id(2), "x"), false},
		{"what a transform made of one event", log(id(1), "x"), log(id(1), "y"), false},
		{"a line that Vector reads again after a crash", line(id(1), at), line(id(2), at.Add(time.Hour)), true},
		{"an older Vector, which gives no id", log(nil, "x"), log(nil, "x"), true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := ids(t, "a", tt.a)[0] == ids(t, "a", tt.b)[0]; got != tt.equal {
				t.Errorf("the same event is %t", got)
			}
			if ids(t, "a", tt.a)[0] == ids(t, "b", tt.a)[0] {
				t.Error("two inputs meet")
			}
		})
	}
	twins := []vectortest.Log{log(id(1), "x"), log(id(1), "x"), log(id(1), "y")}
	first, again := ids(t, "a", twins...), ids(t, "a", twins...)
	for i := range twins {
		if first[i] != again[i] {
			t.Errorf("element %d of an array is another event in the retry", i)
		}
	}
	if first[0] == first[1] || first[0] == first[2] {
		t.Error("equal elements of an array that a transform took apart are one event")
	}
}

// TestWhatPeopleSee: the id of an event is Vector's, and a log cannot set it.
func TestWhatPeopleSee(t *testing.T) {
	t.Parallel()
	var s stream
	forged := vectortest.Log{Root: map[string]any{"message": "x", vector.SourceEventID: "forged"}, ID: id(0x11)}
	if err := sink(t, serve(t, s.config())).Send(t.Context(), forged); err != nil {
		t.Fatal(err)
	}
	e := parse(t, s.records[0])
	if got, _ := e.Get(event.EventIDField).(string); !strings.HasPrefix(got, "0b6c1f4e-7f6e-4a58-9c5e-3b0a7d1f2c11|") || got != e.EventID {
		t.Errorf("event.id is %q", got)
	}
}
