// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"tocsin/incident"
)

// login posts one login of somebody.
func (s *serving) login(user, id string, at time.Time, outcome string) {
	s.t.Helper()
	body := fmt.Sprintf(`{"event.id":%q,"timestamp":%q,"event.category":"authentication","event.outcome":%q,"user.name":%q,"source.ip":"203.0.113.9"}`,
		user+id, at.Format(time.RFC3339Nano), outcome, user)
	resp, err := http.Post("http://"+s.node.ingest.Addr().String()+"/ingest/vector", "application/json", strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	_ = resp.Body.Close()
}

// TestRestartAfterRetention: once retention has removed the first half of EVENTS, a restart goes on where it was, windows
// included, and evidence that was frozen keeps its bytes.
func TestRestartAfterRetention(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	data := t.TempDir()
	where := "sqlite:" + filepath.Join(data, "tocsin.db")
	start := time.Now().Add(-time.Minute).UTC()
	send := func(s *serving, i int, outcome string) {
		s.login("ana", strconv.Itoa(i), start.Add(time.Duration(i)*time.Second), outcome)
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

// TestUnreadableSnapshot: with a damaged snapshot a restart reads the log from its beginning; one of a newer version is left to
// who can read it. Windows go on where they were, and nothing is found twice.
func TestUnreadableSnapshot(t *testing.T) {
	t.Parallel()
	for name, damage := range map[string]string{
		"newer version": "UPDATE partitions SET snapshot_format = snapshot_format + 1",
		"damaged":       "UPDATE snapshot_cells SET state = x'0102'",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			data := t.TempDir()
			file := filepath.Join(data, "tocsin.db")
			start := time.Now().Add(-time.Minute).UTC()
			s := serveHere(t, "sqlite:"+file, data)
			for i := range 6 {
				outcome := map[bool]string{true: "success", false: "failure"}[i == 5]
				s.login("bob", strconv.Itoa(i), start.Add(time.Duration(i)*time.Second), outcome)
				if i < 5 {
					s.login("ana", strconv.Itoa(i), start.Add(time.Duration(i)*time.Second), outcome)
				}
			}
			s.settled()
			if code := s.stop(); code != 0 {
				t.Fatalf("stop: %d", code)
			}
			changeStore(t, file, damage)
			undone := make(chan error, 1)
			again := serveHere(t, "sqlite:"+file, data, func(c *Config) {
				c.Admin.Listen = freePort(t)
				if name == "newer version" {
					go func() { undone <- whenLeft(t.Context(), c.Admin.Listen, file) }()
				} else {
					undone <- nil
				}
			})
			if err := <-undone; err != nil {
				t.Fatal(err)
			}
			again.login("ana", "9", start.Add(9*time.Second), "success")
			again.settled()
			var list struct{ Items []incident.View }
			again.get("/api/v1/incidents", &list)
			counts := make(map[string]int64)
			for _, v := range list.Items {
				counts[fmt.Sprint(v.Key["user.name"])] += v.EventCount
			}
			if len(list.Items) != 2 || counts["ana"] != 6 || counts["bob"] != 6 {
				t.Errorf("%d incidents, events %v; want one of each, of 6", len(list.Items), counts)
			}
		})
	}
}

// whenLeft makes all snapshots of this version again, once the process at the address has left them to a newer one.
func whenLeft(ctx context.Context, admin, file string) error {
	ctx, cancel := context.WithTimeout(ctx, 40*time.Second)
	defer cancel()
	for {
		b, err := get("http://" + admin + "/metrics")
		if err == nil && strings.Contains(string(b), "\ntocsin_partitions_newer 16\n") {
			return execStore(ctx, file, "UPDATE partitions SET snapshot_format = snapshot_format - 1")
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the process does not leave the partitions to a newer one: %w", cmp.Or(err, ctx.Err()))
		case <-time.After(50 * time.Millisecond): // another goroutine's loop has to get there
		}
	}
}

// TestEventsMadeAnew: somebody deleted EVENTS. What comes into the new one is not taken for what was in the old one.
func TestEventsMadeAnew(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	where := "sqlite:" + filepath.Join(data, "tocsin.db")
	s := serveHere(t, where, data)
	for i := range 3 {
		s.login("bob", strconv.Itoa(i), time.Now(), "failure")
	}
	s.settled()
	js, err := jetstream.New(s.node.streams.Conn())
	if err != nil {
		t.Fatal(err)
	}
	if err := js.DeleteStream(t.Context(), "EVENTS"); err != nil {
		t.Fatal(err)
	}
	s.stop()
	s = serveHere(t, where, data)
	for i := range 6 {
		s.login("ana", strconv.Itoa(i), time.Now(), map[bool]string{true: "success", false: "failure"}[i == 5])
	}
	if got := s.incidents(); len(got) != 1 || got[0].Key["user.name"] != "ana" {
		t.Errorf("incidents %+v", got)
	}
}

// TestMatchesPutBack: the log of a partition is an older one than the store knows. Nobody goes on with it, and the reason is said.
func TestMatchesPutBack(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	file := filepath.Join(data, "tocsin.db")
	s := serveHere(t, "sqlite:"+file, data)
	s.login("bob", "1", time.Now(), "failure")
	s.settled()
	s.stop()
	changeStore(t, file, "UPDATE partitions SET applied = applied + 1000000")
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	read, write := io.Pipe()
	defer read.Close()
	cfg := s.node.cfg
	ended := make(chan error, 1)
	go func() {
		c := &cli{stdin: strings.NewReader(""), stdout: io.Discard, stderr: write}
		ended <- c.serve(ctx, cfg, false)
		_ = write.Close()
	}()
	lines := bufio.NewScanner(read)
	said := false
	for lines.Scan() { // to the end, or it could not write on
		if !said && strings.Contains(lines.Text(), "delete the stream MATCHES") {
			said = true
			cancel()
		}
	}
	if !said {
		t.Error("nobody said why")
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// changeStore changes the database of a tocsin that does not run.
func changeStore(t *testing.T, file, statement string) {
	t.Helper()
	if err := execStore(t.Context(), file, statement); err != nil {
		t.Fatal(err)
	}
}

// execStore changes some rows of a SQLite store, which a process may write to meanwhile.
func execStore(ctx context.Context, file, statement string) error {
	db, err := sql.Open("sqlite", "file:"+file+"?_pragma=busy_timeout(10000)")
	if err != nil {
		return err
	}
	defer db.Close()
	res, err := db.ExecContext(ctx, statement)
	if err != nil {
		return err
	}
	if n, err := res.RowsAffected(); err != nil || n == 0 {
		return fmt.Errorf("nothing was changed: %w", cmp.Or(err, sql.ErrNoRows))
	}
	return nil
}
