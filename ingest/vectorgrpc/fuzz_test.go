// SPDX-License-Identifier: Apache-2.0

package vectorgrpc_test

import (
	"context"
	"encoding/json"
	"math"
	"testing"
	"time"

	"tocsin/event"
	"tocsin/ingest"
	"tocsin/ingest/vectorgrpc"
	"tocsin/ingest/vectortest"
)

// FuzzRequest: whatever arrives, what is taken is JSON that the parser can read, within the caps, and the same each time.
func FuzzRequest(f *testing.F) {
	all := make(map[string]any)
	for _, k := range kinds {
		all[k.name] = k.v
	}
	log := vectortest.EncodeLog(vectortest.Log{Root: all, ID: id(1)})
	f.Add(vectortest.EncodeRequest(log, vectortest.EncodeLog(vectortest.Log{Root: "text"}), log))
	f.Add(vectortest.EncodeRequest(log)[:400])
	f.Add(vectortest.EncodeRequest(vectortest.Message(nil, 2, nil), vectortest.Message(nil, 3, nil), nil))
	f.Add(vectortest.EncodeRequest(vectortest.EncodeLog(vectortest.Log{Root: map[string]any{"t": time.Unix(math.MaxInt32, 999), "deep": nested(70)}})))
	f.Add([]byte{0x0b, 0x0b, 0x0c, 0x0c}) // groups
	parser := ingest.NewParser(ingest.ParserConfig{})
	f.Fuzz(func(t *testing.T, request []byte) {
		var s, again stream
		if (push(s.config(), request) == nil) != (push(again.config(), request) == nil) || len(s.records) != len(again.records) || len(s.bad) != len(again.bad) {
			t.Fatal("the same request is taken in two ways")
		}
		for i, rec := range s.records {
			if string(rec.Raw) != string(again.records[i].Raw) {
				t.Errorf("%s and %s", rec.Raw, again.records[i].Raw)
			}
			if !json.Valid(rec.Raw) || len(rec.Raw) > ingest.MaxRecord || event.CheckDepth(rec.Raw) != nil {
				t.Errorf("no record: %q", rec.Raw)
			}
			if _, err := parser.Parse(rec, arrival); err != nil {
				t.Errorf("%s: %v", rec.Raw, err)
			}
		}
		for _, q := range s.bad {
			if q.Reason == "" || q.Detail == "" {
				t.Errorf("quarantine without a reason: %v", q)
			}
		}
	})
}

func push(cfg vectorgrpc.Config, request []byte) error {
	return vectorgrpc.Push(context.Background(), cfg, request)
}
