// SPDX-License-Identifier: Apache-2.0

package postgres

import (
	"bytes"
	"context"
	"encoding/hex"
	"fmt"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"tocsin/store"
	"tocsin/store/internal/sqlstore"
	"tocsin/store/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func kind() storetest.Kind {
	return storetest.Kind{
		Open: func(t testing.TB) store.Store {
			s := open(t)
			s.Walk = 1 // so that few incidents are many
			t.Cleanup(func() { hasItsTerms(t, s) })
			return s
		},
		Exec: func(t testing.TB, s store.Store, query string) {
			t.Helper()
			if _, err := s.(*Store).pool.Exec(t.Context(), query); err != nil {
				t.Fatalf("%s: %v", query, err)
			}
		},
		Try: func(t testing.TB, s store.Store, query string) error {
			t.Helper()
			_, err := s.(*Store).pool.Exec(t.Context(), query)
			return err
		},
		Loose: func(t testing.TB, s store.Store) {
			t.Helper()
			if _, err := s.(*Store).pool.Exec(t.Context(), "ALTER TABLE audit DISABLE TRIGGER USER"); err != nil {
				t.Fatal(err)
			}
		},
	}
}

// hasItsTerms: whatever was written, by whom and at once with what, terms that are set anew are those that are there.
func hasItsTerms(t testing.TB, s *Store) {
	t.Helper()
	ctx := context.Background() // the test's own is done when it cleans up
	all := func() (out string) {
		t.Helper()
		if err := s.pool.QueryRow(ctx, "SELECT coalesce(string_agg(t::text, E'\n' ORDER BY t.incident), '') FROM incident_terms t").Scan(&out); err != nil {
			t.Fatal(err)
		}
		return out
	}
	was := all()
	if _, err := s.pool.Exec(ctx, "SELECT set_incident_terms(array_agg(id)) FROM incidents"); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(was, all()); diff != "" {
		t.Errorf("terms (-there +anew):\n%.2000s", diff)
	}
}

func open(t testing.TB) *Store {
	t.Helper()
	return openURL(t, storetest.PostgresURL(t))
}

func openURL(t testing.TB, url string) *Store {
	t.Helper()
	s, err := Open(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	if err := s.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	return s
}

// TestServersThatAreTooOld are refused in words, rather than by the first statement that they do not know.
func TestServersThatAreTooOld(t *testing.T) {
	t.Parallel()
	for server, want := range map[int]string{
		130014: "store: PostgreSQL 14 or newer is needed, this one is 13.14",
		140000: "<nil>",
		180001: "<nil>",
	} {
		if got := fmt.Sprint(supported(server)); got != want {
			t.Errorf("%d: %s, want %s", server, got, want)
		}
	}
}

func TestStore(t *testing.T) { storetest.Run(t, kind()) }

// TestRenewPassesByWhatIsCommitted: a commit that takes long keeps nobody from renewing the other leases.
func TestRenewPassesByWhatIsCommitted(t *testing.T) {
	t.Parallel()
	s, ctx := open(t), t.Context()
	held, err := s.Acquire(ctx, "a", time.Hour, 0, 2)
	if err != nil || len(held) != 2 {
		t.Fatalf("%v, %v", held, err)
	}
	tx, err := s.pool.Begin(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback(context.WithoutCancel(ctx)) }() // whatever became of the test
	if _, err := tx.Exec(ctx, "UPDATE partitions SET applied = 1 WHERE id = 0"); err != nil {
		t.Fatal(err)
	}
	soon, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	if lost, err := s.Renew(soon, "a", -time.Hour, held); err != nil || len(lost) != 0 {
		t.Fatalf("lost %v, %v", lost, err)
	}
	if taken, err := s.Acquire(soon, "b", time.Hour, 0, 2); err != nil || len(taken) != 1 || taken[0].Partition != 1 {
		t.Errorf("b has %+v, %v: the lease of 1 was to run out, and that of 0 is being committed", taken, err)
	}
}

func BenchmarkCommit(b *testing.B) { storetest.BenchmarkCommit(b, kind()) }

func BenchmarkSnapshot(b *testing.B) { storetest.BenchmarkSnapshot(b, kind()) }

func BenchmarkSeal(b *testing.B) { storetest.BenchmarkSeal(b, kind()) }

// TestPlanned: what is read by plans that are kept reads one state by indexes, and what its connection does next is as it was.
func TestPlanned(t *testing.T) {
	t.Parallel()
	s := openURL(t, storetest.PostgresURL(t)+"&pool_max_conns=1")
	settings := func(q sqlstore.Querier) (out []string) {
		t.Helper()
		query := "SELECT current_setting(s) FROM unnest('{transaction_isolation, transaction_read_only, plan_cache_mode, enable_seqscan}'::text[]) AS s"
		if err := q.Query(t.Context(), query, nil, func(scan sqlstore.Scan) error {
			var s string
			err := scan(&s)
			out = append(out, s)
			return err
		}); err != nil {
			t.Fatal(err)
		}
		return out
	}
	within := func(run func(context.Context, func(sqlstore.Querier) error) error) (out []string) {
		t.Helper()
		if err := run(t.Context(), func(q sqlstore.Querier) error { out = settings(q); return nil }); err != nil {
			t.Fatal(err)
		}
		return out
	}
	d := db{s.pool}
	got := [][]string{within(d.Planned), within(d.View), settings(d)}
	want := [][]string{{"repeatable read", "on", "force_generic_plan", "off"}, {"repeatable read", "on", "auto", "on"}, {"read committed", "off", "auto", "on"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// BenchmarkMillion fills a database of its own, or the one that TOCSIN_MILLION names, which is kept for the next time.
func BenchmarkMillion(b *testing.B) {
	url := os.Getenv("TOCSIN_MILLION")
	if url == "" {
		url = storetest.PostgresURL(b)
	}
	storetest.BenchmarkMillion(b, openURL(b, url), 1_000_000, bulk)
}

// TestTermsOfWhatWasThere: incidents that were there before get their terms, and migrations that were cut off go on.
func TestTermsOfWhatWasThere(t *testing.T) {
	t.Parallel()
	s := open(t)
	storetest.Fill(t, s, 700, time.Now(), nil) // more than are given terms at once
	read := func() (out string) {
		t.Helper()
		query := "SELECT md5(string_agg(t::text, ' ' ORDER BY t.incident)) || ' ' || (SELECT string_agg(indexdef || indisvalid, ' ' ORDER BY indexdef) FROM pg_indexes " +
			"JOIN pg_index ON indexrelid = indexname::regclass WHERE tablename IN ('incidents', 'incident_terms', 'outbox')) FROM incident_terms t"
		if err := s.pool.QueryRow(t.Context(), query).Scan(&out); err != nil {
			t.Fatal(err)
		}
		return out
	}
	want := read()
	for _, query := range []string{
		"DELETE FROM goose_db_version WHERE version_id IN (11, 12, 13, 17)",
		"DELETE FROM incident_terms WHERE incident >= (SELECT id FROM incidents ORDER BY id OFFSET 100 LIMIT 1)",
		"UPDATE pg_index SET indisvalid = false WHERE indexrelid IN ('incident_terms_asked'::regclass, 'outbox_held'::regclass)",
		"CREATE INDEX incidents_newest_next ON incidents (id)", "DROP INDEX incidents_newest",
	} {
		if _, err := s.pool.Exec(t.Context(), query); err != nil {
			t.Fatalf("%s: %v", query, err)
		}
	}
	if err := s.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := read(); got != want {
		t.Errorf("terms and indexes are\n%s, want\n%s", got, want)
	}
}

// TestNoChangeOfADetectionIsPassedOver: of two transactions the one that began first may end last; until it has, nothing is told of
// the other, or the first would come before what was read.
func TestNoChangeOfADetectionIsPassedOver(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	s := open(t)
	storetest.Fill(t, s, 100, time.Now(), nil)
	var ids [][]byte
	if err := s.pool.QueryRow(ctx, "SELECT array_agg(id ORDER BY id) FROM (SELECT id FROM detections ORDER BY id LIMIT 2) AS t").Scan(&ids); err != nil || len(ids) != 2 {
		t.Fatal(len(ids), err)
	}
	before, err := s.LastDetection(ctx)
	if err != nil {
		t.Fatal(err)
	}
	const write = "UPDATE detections SET event_count = event_count + 1 WHERE id = $1"
	tx, err := s.pool.Begin(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback(context.Background())
	if _, err := tx.Exec(ctx, write, ids[0]); err != nil {
		t.Fatal(err)
	}
	if _, err := s.pool.Exec(ctx, write, ids[1]); err != nil {
		t.Fatal(err)
	}
	told := func() (out []string) {
		t.Helper()
		got, err := s.ChangedDetections(ctx, before, 1000)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range got {
			if b, err := hex.DecodeString(c.Detection.ID); err == nil && slices.ContainsFunc(ids, func(id []byte) bool { return bytes.Equal(id, b) }) {
				out = append(out, c.Detection.ID)
			}
		}
		return out
	}
	if got := told(); len(got) > 0 {
		t.Errorf("while the first is under way %v is told", got)
	}
	if err := tx.Commit(ctx); err != nil {
		t.Fatal(err)
	}
	want := []string{hex.EncodeToString(ids[0]), hex.EncodeToString(ids[1])}
	for !slices.Equal(told(), want) { // what others in the same server have under way holds it back
		if ctx.Err() != nil {
			t.Fatalf("told is %v, want %v", told(), want)
		}
	}
}

// TestNoDeliveryIsPassedOver: as of detections, nothing is told of what was written later and ended sooner.
func TestNoDeliveryIsPassedOver(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	s := open(t)
	var ids []int64
	for revision := range 2 {
		var id int64
		query := `INSERT INTO outbox (incident, revision, receiver, kind, body, created, not_before, attempts)
VALUES (decode(repeat('ab', 16), 'hex'), $1, 'hook', 'opened', '', 1, 1, 1) RETURNING id`
		if err := s.pool.QueryRow(ctx, query, revision).Scan(&id); err != nil {
			t.Fatal(err)
		}
		ids = append(ids, id)
	}
	before, err := s.LastDelivery(ctx)
	if err != nil {
		t.Fatal(err)
	}
	tx, err := s.pool.Begin(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback(context.Background())
	if _, err := tx.Exec(ctx, "INSERT INTO deliveries (alert, outcome, attempt, why, time) VALUES ($1, 'retry', 1, '', 1)", ids[0]); err != nil {
		t.Fatal(err)
	}
	if err := s.OutboxSent(ctx, ids[1]); err != nil {
		t.Fatal(err)
	}
	told := func() (out []int64) {
		t.Helper()
		got, err := s.Deliveries(ctx, before, 1000)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range got {
			out = append(out, d.Alert)
		}
		return out
	}
	if got := told(); len(got) > 0 {
		t.Errorf("while the first is under way %v is told", got)
	}
	if err := tx.Commit(ctx); err != nil {
		t.Fatal(err)
	}
	for !slices.Equal(told(), ids) { // what others in the same server have under way holds it back
		if ctx.Err() != nil {
			t.Fatalf("told is %v, want %v", told(), ids)
		}
	}
}

// TestAColumnHoldsUpNobodyForLong: while a migration waits for somebody who reads a table for hours, as a dump does, others write to it.
func TestAColumnHoldsUpNobodyForLong(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	s := open(t)
	if _, err := s.pool.Exec(ctx, "DROP TRIGGER detections_changed ON detections; DROP FUNCTION detection_changed(); "+
		"ALTER TABLE detections DROP COLUMN changed; DROP TABLE deliveries; DROP TABLE lives; DROP TABLE repeats; DELETE FROM goose_db_version WHERE version_id >= 15"); err != nil {
		t.Fatal(err)
	}
	reads, err := s.pool.Begin(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer reads.Rollback(context.Background())
	if _, err := reads.Exec(ctx, "SET idle_in_transaction_session_timeout = 0; LOCK TABLE detections IN ACCESS SHARE MODE"); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- s.Migrate(ctx) }()
	for waits := false; !waits; {
		query := "SELECT count(*) > 0 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE '%ALTER TABLE detections%'"
		if err := s.pool.QueryRow(ctx, query).Scan(&waits); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.pool.Exec(ctx, "BEGIN; LOCK TABLE detections IN ROW EXCLUSIVE MODE; COMMIT"); err != nil { // as each INSERT and UPDATE does
		t.Error(err)
	}
	if err := reads.Rollback(ctx); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

// TestAnIndexHoldsUpNobody: while a migration waits to make its index, others still write to the table.
func TestAnIndexHoldsUpNobody(t *testing.T) {
	t.Parallel()
	for _, m := range []struct {
		version      int
		index, table string
	}{{11, "incidents_newest", "incidents"}, {12, "outbox_held", "outbox"}, {16, "detections_order", "detections"}, {17, "incident_terms_asked", "incident_terms"},
		{20, "incidents_of_key", "incidents"}} {
		t.Run(m.index, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			s := open(t)
			if _, err := s.pool.Exec(ctx, fmt.Sprintf("DROP INDEX %s; DELETE FROM goose_db_version WHERE version_id = %d", m.index, m.version)); err != nil {
				t.Fatal(err)
			}
			writes := "LOCK TABLE " + m.table + " IN ROW EXCLUSIVE MODE NOWAIT" // as each INSERT and UPDATE does
			tx, err := s.pool.Begin(ctx)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := tx.Exec(ctx, "SET idle_in_transaction_session_timeout = 0; "+writes); err != nil {
				t.Fatal(err)
			}
			done := make(chan error, 1)
			go func() { done <- s.Migrate(ctx) }()
			for waits := false; !waits; {
				query := "SELECT count(*) > 0 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE '%CREATE INDEX%'"
				if err := s.pool.QueryRow(ctx, query).Scan(&waits); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := s.pool.Exec(ctx, "BEGIN; "+writes+"; COMMIT"); err != nil {
				t.Error(err)
			}
			if err := tx.Rollback(ctx); err != nil {
				t.Fatal(err)
			}
			if err := <-done; err != nil {
				t.Fatal(err)
			}
		})
	}
}
