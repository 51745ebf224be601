// SPDX-License-Identifier: Apache-2.0

package open_test

import (
	"context"
	"database/sql"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	_ "github.com/jackc/pgx/v5/stdlib"
	_ "modernc.org/sqlite"

	"tocsin/store/open"
	"tocsin/store/storetest"
)

func TestStoreRefusesOtherURLs(t *testing.T) {
	t.Parallel()
	for _, where := range []string{"", "sqlite:", "mysql://root:hunter2@db/x", "/var/lib/tocsin.db", "postgres:x", "sqlite:/no/such/folder/x.db"} {
		s, err := open.Store(t.Context(), where)
		if err == nil || s != nil {
			t.Errorf("Store(%q) = %v, %v; want an error", where, s, err)
		} else if strings.Contains(err.Error(), "hunter2") {
			t.Errorf("Store(%q) tells the password: %v", where, err)
		}
	}
}

func TestBothStoresHaveTheSameTables(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "x.db")
	postgres := storetest.PostgresURL(t)
	for _, where := range []string{"sqlite:" + path, postgres} {
		s, err := open.Store(t.Context(), where)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Migrate(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	// Of incident_terms SQLite has no use: it is an index, as a table; lives is there for processes of the version before. Types are named as SQLite names them: it has one integer, and text and blobs of any size.
	want := columns(t, "pgx", postgres, `SELECT c.table_name || '.' || c.column_name || ' ' ||
  CASE c.data_type WHEN 'bigint' THEN 'INTEGER' WHEN 'bytea' THEN 'BLOB' ELSE upper(c.data_type) END ||
  CASE c.is_nullable WHEN 'NO' THEN ' NOT NULL' ELSE '' END
FROM information_schema.columns c WHERE c.table_schema = 'public' AND c.table_name NOT LIKE 'goose%' AND c.table_name NOT IN ('incident_terms', 'lives')`)
	// A primary key is never null here either; SQLite does not say so of it. It has no transactions' numbers to put changes of detections in order
	// by, and counts them in detection_order.
	got := columns(t, "sqlite", "file:"+path, `SELECT m.name || '.' || c.name || ' ' || c.type ||
  CASE WHEN c."notnull" OR c.pk THEN ' NOT NULL' ELSE '' END
FROM sqlite_schema m JOIN pragma_table_xinfo(m.name) c WHERE m.type = 'table' AND m.name NOT LIKE 'goose%' AND m.name NOT LIKE 'sqlite%' AND m.name <> 'detection_order'`)
	if len(want) < 50 {
		t.Fatalf("only %d columns", len(want))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("columns (-postgres +sqlite):\n%s", diff)
	}
}

func columns(t *testing.T, driver, where, query string) map[string]bool {
	t.Helper()
	db, err := sql.Open(driver, where)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	}()
	rows, err := db.QueryContext(context.Background(), query)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	out := map[string]bool{}
	for rows.Next() {
		var c string
		if err := rows.Scan(&c); err != nil {
			t.Fatal(err)
		}
		out[c] = true
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return out
}
