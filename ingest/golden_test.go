// SPDX-License-Identifier: Apache-2.0

package ingest_test

import (
	"bytes"
	"encoding/json"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tocsin/event"
	"tocsin/ingest"
)

// TestEventsStay: what records become is what they became when testdata was written, identities most of all: another one
// makes every event that is delivered again a new one. An Event in memory that is used again is the same.
func TestEventsStay(t *testing.T) {
	t.Parallel()
	for _, source := range []string{"vector", "falco", "audit", "kyverno"} {
		records, err := os.ReadFile("testdata/" + source + ".ndjson")
		if err != nil {
			t.Fatal(err)
		}
		golden, err := os.ReadFile("testdata/" + source + ".golden")
		if err != nil {
			t.Fatal(err)
		}
		want := bytes.Split(bytes.TrimSpace(golden), []byte("\n"))
		parser := ingest.NewParser(ingest.ParserConfig{})
		var again event.Event
		for i, raw := range bytes.Split(bytes.TrimSpace(records), []byte("\n")) {
			rec := event.Record{Input: "parse", Source: source, Raw: raw}
			e, err := parser.Parse(rec, 0)
			if err != nil {
				t.Fatalf("%s %d: %v", source, i, err)
			}
			if diff := cmp.Diff(string(want[i]), printEvent(t, e)); diff != "" {
				t.Errorf("%s %d: %s", source, i, diff)
			}
			if err := parser.ParseInto(&again, rec, 0); err != nil || printEvent(t, &again) != string(want[i]) {
				t.Errorf("%s %d in used memory: %v %s", source, i, err, printEvent(t, &again))
			}
		}
	}
}

// printEvent prints an event as `tocsin parse` does.
func printEvent(t *testing.T, e *event.Event) string {
	t.Helper()
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(map[string]any{
		"id": e.ID.String(), "event_id": e.EventID, "time": event.Stamp(e.Time), "source": e.Source, "fields": e.Fields(), "raw": e.Object().Any(),
	}); err != nil {
		t.Fatal(err)
	}
	return string(bytes.TrimSpace(b.Bytes()))
}

// TestRecordsCostNoMemory: of plain records and those of Vector an Event in used memory costs nothing, but for what is
// no JSON, and identities of container logs.
func TestRecordsCostNoMemory(t *testing.T) {
	parser := ingest.NewParser(ingest.ParserConfig{})
	for name, raw := range map[string]string{
		"with an id": `{"event.id":"e1","timestamp":"2026-03-02T00:00:00Z","user.name":"ana","source.ip":"10.0.0.1","host":"h","message":"m","tags":["a"],"n":{"x":1.5}}`,
		"by content": `{"@timestamp":"2026-03-02T00:00:00.123Z","Channel":"Security","EventID":4625,"user":{"name":"ana"},"k8s":{"pod":{"name":"p"}}}`,
	} {
		for _, source := range []string{"vector", "windows"} {
			var e event.Event
			rec := event.Record{Input: "in", Source: source, Raw: []byte(raw)}
			if n := testing.AllocsPerRun(100, func() {
				if err := parser.ParseInto(&e, rec, arrival); err != nil {
					t.Fatal(err)
				}
			}); n != 0 {
				t.Errorf("%s, %s: %v allocations", name, source, n)
			}
		}
	}
}

func BenchmarkParse(b *testing.B) {
	parser := ingest.NewParser(ingest.ParserConfig{})
	for _, source := range []string{"vector", "falco", "audit", "kyverno"} {
		records, err := os.ReadFile("testdata/" + source + ".ndjson")
		if err != nil {
			b.Fatal(err)
		}
		raws := bytes.Split(bytes.TrimSpace(records), []byte("\n"))
		b.Run(source, func(b *testing.B) {
			var e event.Event
			b.ReportAllocs()
			b.SetBytes(int64(len(records) / len(raws)))
			for i := 0; b.Loop(); i++ {
				if err := parser.ParseInto(&e, event.Record{Input: "in", Source: source, Raw: raws[i%len(raws)]}, arrival); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
