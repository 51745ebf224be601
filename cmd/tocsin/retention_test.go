// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"tocsin/incident"
)

// TestRestartAfterRetention: once retention has removed the first half of EVENTS, a restart goes on where it was, windows
// included, and evidence that was frozen keeps its bytes.
func TestRestartAfterRetention(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	data := t.TempDir()
	where := "sqlite:" + filepath.Join(data, "tocsin.db")
	start := time.Now().Add(-time.Minute).UTC()
	send := func(s *serving, i int, outcome string) {
		body := fmt.Sprintf(`{"event.id":"%d","timestamp":%q,"event.category":"authentication","event.outcome":%q,"user.name":"ana","source.ip":"203.0.113.9"}`,
			i, start.Add(time.Duration(i)*time.Second).Format(time.RFC3339Nano), outcome)
		resp, err := http.Post("http://"+s.node.ingest.Addr().String()+"/ingest/vector", "application/json", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
	}
	s := serveHere(t, where, data)
	for i := range 5 {
		send(s, i, "failure")
	}
	s.settled()
	st, err := s.node.streams.EventsState(ctx)
	if err != nil {
		t.Fatal(err)
	}
	nc, err := s.node.embedded.Conn()
	if err != nil {
		t.Fatal(err)
	}
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	events, err := js.Stream(ctx, "EVENTS")
	if err != nil {
		t.Fatal(err)
	}
	if err := events.Purge(ctx, jetstream.WithPurgeSequence(st.Last)); err != nil {
		t.Fatal(err)
	}
	nc.Close()
	if code := s.stop(); code != 0 {
		t.Fatalf("stop: %d", code)
	}
	again := serveHere(t, where, data)
	send(again, 9, "success")
	again.settled()
	var list struct{ Items []incident.View }
	again.get("/api/v1/incidents", &list)
	if len(list.Items) != 1 || list.Items[0].EventCount != 6 {
		t.Fatalf("incidents %+v", list.Items)
	}
	noted, whole := 0, 0
	again.evidence(list.Items[0].ID, 6, func(_ int, e incident.EvidenceItem) {
		switch {
		case string(e.Raw) == "null" && e.Note != "" && e.Fields["user.name"] == "ana":
			noted++ // dropped before it became evidence: the fields are kept, and it says so
		case e.SHA256 != "":
			whole++
		}
	})
	if noted != 5 || whole != 1 {
		t.Errorf("%d pieces of evidence say that their bytes are gone and %d have them, want 5 and 1", noted, whole)
	}
}
