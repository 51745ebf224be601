// SPDX-License-Identifier: Apache-2.0

package vectorgrpc_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tocsin/event"
	"tocsin/ingest"
	"tocsin/ingest/vectortest"
)

func nested(depth int) any {
	var v any = "x"
	for range depth {
		v = []any{v}
	}
	return v
}

// TestABadEventCostsItself: each is in quarantine with its reason, its neighbours are on disk, and Vector is told OK.
func TestABadEventCostsItself(t *testing.T) {
	t.Parallel()
	log := func(v any) []byte {
		return vectortest.EncodeLog(vectortest.Log{Root: map[string]any{"v": v}, ID: id(1)})
	}
	in := func(v []byte) []byte { // a log with a value of these bytes
		entry := vectortest.Message(vectortest.Message(nil, 1, []byte("v")), 2, v)
		return vectortest.Message(nil, 1, vectortest.Message(nil, 1, entry))
	}
	metadata := vectortest.Message(nil, 6, []byte("s3cr3t"))
	tests := []struct {
		name    string
		wrapper []byte
		want    string // the reason
	}{
		{"metric", vectortest.Message(nil, 2, vectortest.Message(vectortest.Message(nil, 1, []byte("cpu")), 21, metadata)), "metric"},
		{"trace", vectortest.Message(nil, 3, vectortest.Message(nil, 3, metadata)), "trace"},
		{"nothing", nil, "no_event"},
		{"an event of later", vectortest.Message(nil, 4, []byte("x")), "no_event"},
		{"no wrapper", []byte{0xff}, "malformed_protobuf"},
		{"no log", vectortest.Message(nil, 1, []byte{0x0a, 0x7f}), "malformed_protobuf"},
		{"no entry", vectortest.Message(nil, 1, vectortest.Message(nil, 1, []byte{0xff})), "malformed_protobuf"},
		{"no value", in([]byte{0xff}), "malformed_protobuf"},
		{"no map", in(vectortest.Message(nil, 7, []byte{0xff})), "malformed_protobuf"},
		{"no array", in(vectortest.Message(nil, 8, []byte{0xff})), "malformed_protobuf"},
		{"no timestamp", in(vectortest.Message(nil, 2, []byte{0xff})), "malformed_protobuf"},
		{"no metadata", vectortest.Message(nil, 1, vectortest.Message(nil, 4, []byte{0xff})), "malformed_protobuf"},
		{"nanoseconds below 0", in(vectortest.Message(nil, 2, vectortest.EncodeTimestamp(1, -1))), "malformed_timestamp"},
		{"nanoseconds above a leap second", in(vectortest.Message(nil, 2, vectortest.EncodeTimestamp(1, 2e9))), "malformed_timestamp"},
		{"a year that no clock has", in(vectortest.Message(nil, 2, vectortest.EncodeTimestamp(1<<62, 0))), "malformed_timestamp"},
		{"too deep", log(nested(event.MaxDepth)), "too_deep"},
		{"too large", log(strings.Repeat("x", ingest.MaxRecord)), "too_large"},
		{"too large as JSON", log(strings.Repeat("\x01", ingest.MaxRecord/4)), "too_large"},
		{"an audit event that is too large", log(map[string]any{
			"apiVersion": "audit.k8s.io/v1", "objectRef": map[string]any{"resource": "secrets"},
			"responseObject": map[string]any{"a": "s3cr3t", "b": strings.Repeat("x", ingest.MaxRecord)},
		}), "too_large"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var s stream
			cfg := s.config()
			if err := sink(t, serve(t, cfg)).Push(t.Context(), vectortest.EncodeRequest(log("before"), tt.wrapper, log("after"))); err != nil {
				t.Fatal(err)
			}
			if len(s.records) != 2 || len(s.bad) != 1 {
				t.Fatalf("%d records and %d in quarantine", len(s.records), len(s.bad))
			}
			q := s.bad[0]
			if q.Reason != tt.want || q.Detail == "" || q.Record.Source != "vector" || q.Record.Input != "vector" {
				t.Errorf("%s (%s) of %s and %s, want %s", q.Reason, q.Detail, q.Record.Input, q.Record.Source, tt.want)
			}
			if bytes.Contains(q.Record.Raw, []byte("s3cr3t")) {
				t.Error("a secret of Vector's is in quarantine")
			}
			if d := cmp.Diff(map[string]float64{"vector accepted": 2, "vector quarantined_" + tt.want: 1}, counts(t, cfg.Records)); d != "" {
				t.Error(d)
			}
		})
	}
}

// TestJustWithinTheCaps: what the parser can read is a Record.
func TestJustWithinTheCaps(t *testing.T) {
	t.Parallel()
	var s stream
	to := sink(t, serve(t, s.config()))
	deep := vectortest.Log{Root: map[string]any{"v": nested(event.MaxDepth - 1)}}
	large := vectortest.Log{Root: map[string]any{"v": strings.Repeat("x", ingest.MaxRecord-len(`{"v":""}`))}}
	if err := to.Send(t.Context(), deep, large); err != nil {
		t.Fatal(err)
	}
	if len(s.records) != 2 || len(s.bad) != 0 {
		t.Fatalf("%d records, quarantine %v", len(s.records), s.bad)
	}
	for _, rec := range s.records {
		parse(t, rec)
	}
}

// TestACutRequest: what came before the cut is on disk, the rest in quarantine.
func TestACutRequest(t *testing.T) {
	t.Parallel()
	var s stream
	a, b := vectortest.EncodeLog(vectortest.Log{Root: map[string]any{"a": 1}}), vectortest.EncodeLog(vectortest.Log{Root: map[string]any{"b": 1}})
	request := vectortest.EncodeRequest(a, b)
	if err := sink(t, serve(t, s.config())).Push(t.Context(), request[:len(request)-1]); err != nil {
		t.Fatal(err)
	}
	if len(s.records) != 1 || string(s.records[0].Raw) != `{"a":1}` {
		t.Errorf("records %v", s.records)
	}
	if len(s.bad) != 1 || s.bad[0].Reason != "malformed_protobuf" || !bytes.HasPrefix(request[len(request)-len(s.bad[0].Record.Raw)-1:], s.bad[0].Record.Raw) {
		t.Errorf("quarantine %v", s.bad)
	}
}
