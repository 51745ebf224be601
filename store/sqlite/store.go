// SPDX-License-Identifier: Apache-2.0

package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"

	"github.com/pressly/goose/v3"
	_ "modernc.org/sqlite" // the driver

	"tocsin/migrations"
	"tocsin/store"
	"tocsin/store/internal/sqlstore"
)

// readers bounds the connections that read beside the writer.
const readers = 4

// Store is the store in one file.
type Store struct {
	*sqlstore.Core
	db *db
}

var _ store.Store = (*Store)(nil)

// Open opens the database at path and creates the file if there is none. It creates no tables:
// see [Store.Migrate].
func Open(ctx context.Context, path string) (*Store, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	// Records may hold secrets: nobody but the owner reads them.
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	if err := f.Close(); err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	writer, err := open(path, "_txlock=immediate")
	if err != nil {
		return nil, err
	}
	writer.SetMaxOpenConns(1)
	reader, err := open(path, "_pragma=query_only(1)")
	if err != nil {
		return nil, errors.Join(err, writer.Close())
	}
	reader.SetMaxOpenConns(readers)
	reader.SetMaxIdleConns(readers)
	d := &db{writer: writer, reader: reader, statements: make(map[string]*sql.Stmt)}
	s := &Store{Core: sqlstore.NewCore(d), db: d}
	if err := s.Ping(ctx); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func open(path, more string) (*sql.DB, error) {
	dsn := (&url.URL{Scheme: "file", Path: path}).String() + "?" + more +
		"&_pragma=busy_timeout(5000)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)" +
		"&_pragma=foreign_keys(1)&_pragma=journal_size_limit(67108864)"
	d, err := sql.Open("sqlite", dsn)
	if err != nil {
		return nil, fmt.Errorf("store: open %s: %w", path, err)
	}
	return d, nil
}

// Close closes the file.
func (s *Store) Close() error { return errors.Join(s.db.reader.Close(), s.db.close()) }

// Ping reports whether the database answers, the writer included.
func (s *Store) Ping(ctx context.Context) error {
	if err := s.db.turns.take(ctx, true); err != nil {
		return fmt.Errorf("store: ping: %w", err)
	}
	defer s.db.turns.give()
	for _, d := range []*sql.DB{s.db.writer, s.db.reader} {
		var n int64
		if err := d.QueryRowContext(ctx, "SELECT count(*) FROM sqlite_schema").Scan(&n); err != nil {
			return fmt.Errorf("store: ping: %w", err)
		}
	}
	return nil
}

// Migrate brings the tables up to this version.
func (s *Store) Migrate(ctx context.Context) error {
	p, err := s.provider()
	if err != nil {
		return err
	}
	return sqlstore.Migrate(ctx, p)
}

// Version returns the version of the tables and the one that this binary wants.
func (s *Store) Version(ctx context.Context) (have, want int64, err error) {
	p, err := s.provider()
	if err != nil {
		return 0, 0, err
	}
	return sqlstore.Version(ctx, p)
}

func (s *Store) provider() (*goose.Provider, error) {
	p, err := goose.NewProvider(goose.DialectSQLite3, s.db.writer, migrations.SQLite(), goose.WithDisableGlobalRegistry(true), goose.WithAllowOutofOrder(true))
	if err != nil {
		return nil, fmt.Errorf("store: migrations: %w", err)
	}
	return p, nil
}
