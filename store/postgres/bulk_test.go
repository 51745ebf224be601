// SPDX-License-Identifier: Apache-2.0

package postgres

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"tocsin/store"
	"tocsin/store/internal/sqlstore"
	"tocsin/store/storetest"
)

// bulk writes commits as if they were one: the rows of a step, of all of them, go into a table of their own by COPY, and then each step
// runs once over its table. A step means the same whether it runs once over all rows or once for each, so what is there at the end is
// what the commits would have left. The indexes that no step needs are made anew at the end.
func bulk(t testing.TB, st store.Store, commits iter.Seq[store.Commit]) {
	t.Helper()
	ctx := t.Context()
	// A pool's connections bound how long a statement takes.
	conn, err := pgx.ConnectConfig(ctx, st.(*Store).pool.Config().ConnConfig.Copy())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }() // nothing is written by then
	exec := func(query string, args ...any) {
		t.Helper()
		if _, err := conn.Exec(ctx, query, args...); err != nil {
			t.Fatalf("%s: %v", query, err)
		}
	}
	exec("SET maintenance_work_mem = '256MB'")
	exec("SET work_mem = '128MB'")
	l := loader{conn: conn}
	fences := make(map[int]*sqlstore.Plan)
	for p := range plans(t, commits) {
		fences[p.partition] = p.plan
		if err := l.load(ctx, p.plan); err != nil {
			t.Fatal(err)
		}
	}
	for _, p := range fences { // the last of each partition
		exec(dialect().SQL(p.Fence), p.FenceArgs...)
	}
	indexes, err := l.indexes(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range indexes {
		exec("DROP INDEX " + pgx.Identifier{i.name}.Sanitize())
	}
	for _, s := range l.steps {
		exec("ANALYZE " + s.table)
		exec(s.run)
		exec("DROP TABLE " + s.table)
		for table := range strings.FieldsSeq("incidents incident_labels detections") { // what steps read
			exec("ANALYZE " + table)
		}
	}
	for _, i := range indexes {
		exec(i.def)
	}
	exec("ALTER INDEX incident_terms_asked ALTER COLUMN 2 SET STATISTICS 0")
	exec("VACUUM ANALYZE")
}

type partitionPlan struct {
	partition int
	plan      *sqlstore.Plan
}

// plans makes plans while those before are written.
func plans(t testing.TB, commits iter.Seq[store.Commit]) <-chan partitionPlan {
	out := make(chan partitionPlan, 1)
	go func() {
		defer close(out)
		for c := range commits {
			p, err := sqlstore.NewPlan(c)
			if err != nil {
				t.Error(err)
				return
			}
			select {
			case out <- partitionPlan{c.Partition, p}:
			case <-t.Context().Done():
				return
			}
		}
	}()
	return out
}

// loader has the steps of all plans, each text once, in the order that every plan has them in.
type loader struct {
	conn  *pgx.Conn
	steps []loaded
}

type loaded struct{ text, table, run string }

func (l *loader) load(ctx context.Context, p *sqlstore.Plan) error {
	at := 0
	for _, s := range p.Steps {
		i := slices.IndexFunc(l.steps, func(x loaded) bool { return x.text == s.SQL })
		if i < 0 {
			table := fmt.Sprint("bulk_", len(l.steps))
			columns, names := make([]string, len(s.Columns)), make([]string, len(s.Columns))
			for n, c := range s.Columns {
				names[n] = c.Name
				columns[n] = c.Name + " " + [...]string{sqlstore.Bytes: "bytea", sqlstore.Text: "text", sqlstore.Int: "bigint", sqlstore.Bool: "boolean"}[c.Type]
			}
			if _, err := l.conn.Exec(ctx, "CREATE UNLOGGED TABLE "+table+" ("+strings.Join(columns, ", ")+")"); err != nil {
				return err
			}
			d := dialect()
			d.Rows = func([]sqlstore.Column) string { return "SELECT " + strings.Join(names, ", ") + " FROM " + table }
			i = at
			l.steps = slices.Insert(l.steps, i, loaded{s.SQL, table, d.SQL(s.SQL, s.Columns...)})
		}
		at = max(at, i+1)
		names := make([]string, len(s.Columns))
		for n, c := range s.Columns {
			names[n] = c.Name
		}
		if _, err := l.conn.CopyFrom(ctx, pgx.Identifier{l.steps[i].table}, names, pgx.CopyFromRows(s.Rows)); err != nil {
			return fmt.Errorf("%s: %w", s.SQL, err)
		}
	}
	return nil
}

type index struct{ name, def string }

// indexes are those of the tables that grow, but for the ones that keep rows unique.
func (l *loader) indexes(ctx context.Context) ([]index, error) {
	rows, err := l.conn.Query(ctx, `SELECT c.relname, pg_get_indexdef(c.oid) FROM pg_index x JOIN pg_class c ON c.oid = x.indexrelid
WHERE x.indrelid = ANY('{incidents, incident_labels, detections, evidence, incident_changes, incident_terms}'::regclass[]) AND NOT x.indisunique`)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(r pgx.CollectableRow) (i index, err error) {
		err = r.Scan(&i.name, &i.def)
		return i, err
	})
}

// TestBulk: what is measured is what commits would have written.
func TestBulk(t *testing.T) {
	t.Parallel()
	one, all := open(t), open(t)
	end := time.Now()
	storetest.Fill(t, one, 2000, end, nil)
	storetest.Fill(t, all, 2000, end, bulk)
	for _, table := range []struct{ columns, name string }{
		{"*", "incidents"}, {"*", "incident_labels"}, {"*", "incident_terms"}, {"id, partition_id, incident, key, first_event, last_event, first_firing, event_count, late, steps, capped, retracted, retracted_event, retracted_time", "detections"}, {"*", "evidence"}, {"*", "detection_places"},
		{"*", "rollups"}, {"*", "rule_stats"}, {"*", "outbox"}, {"incident", "incident_changes"},
		{"incident, other, kind, detail", "incident_acts"}, {"id, stream, applied, clock", "partitions"},
		{"tablename, indexname, indexdef", "pg_indexes"},
	} {
		read := func(s *Store) []string {
			query := "SELECT x::text FROM (SELECT " + table.columns + " FROM " + table.name + ") AS x ORDER BY x::text COLLATE \"C\""
			rows, err := s.pool.Query(t.Context(), query)
			if err != nil {
				t.Fatal(err)
			}
			out, err := pgx.CollectRows(rows, pgx.RowTo[string])
			if err != nil {
				t.Fatal(err)
			}
			return out
		}
		if diff := cmp.Diff(read(one), read(all)); diff != "" {
			t.Errorf("%s (-commits +bulk):\n%.2000s", table.name, diff)
		}
	}
}
