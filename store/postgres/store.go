// SPDX-License-Identifier: Apache-2.0

package postgres

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"

	"tocsin/migrations"
	"tocsin/store"
	"tocsin/store/internal/sqlstore"
)

// maxConns is enough for the default 16 partitions of one process and its readers; pool_max_conns
// in the URL overrides it.
const maxConns = 20

// maxStatements bounds the statements that a connection has the server keep, with their plans: one takes some 80 kB. Those of a list are
// about ten; statement_cache_capacity in the URL overrides it.
const maxStatements = 128

// walk is a few milliseconds of looking at incidents.
const walk = 500

// Store is the store on PostgreSQL.
type Store struct {
	*sqlstore.Core
	pool *pgxpool.Pool
	// leases is for what must not wait behind commits: who cannot renew in time loses its partitions.
	leases leases
	// sql is for migrations: goose wants it, and they take the time that they take.
	sql *sql.DB
}

var _ store.Store = (*Store)(nil)

// Open prepares to use the database of a postgres:// URL, which need not be there yet. It creates no
// tables: see [Store.Migrate].
func Open(ctx context.Context, url string) (*Store, error) {
	cfg, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, fmt.Errorf("store: url: %w", err)
	}
	if !strings.Contains(url, "pool_max_conns") {
		cfg.MaxConns = maxConns
	}
	if !strings.Contains(url, "statement_cache_capacity") {
		cfg.ConnConfig.StatementCacheCapacity = maxStatements
	}
	if cfg.ConnConfig.RuntimeParams["application_name"] == "" {
		cfg.ConnConfig.RuntimeParams["application_name"] = "tocsin"
	}
	cfg.ConnConfig.DialFunc = dial
	failOver(url, cfg.ConnConfig)
	cfg.AfterConnect = bound
	pool, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("store: connect: %w", err)
	}
	few := cfg.Copy()
	few.MaxConns, few.MinConns, few.MinIdleConns = leaseConns, 0, 0
	leasePool, err := pgxpool.NewWithConfig(ctx, few)
	if err != nil {
		pool.Close()
		return nil, fmt.Errorf("store: connect: %w", err)
	}
	core := sqlstore.NewCore(db{pool})
	core.Walk = walk
	return &Store{
		Core: core, pool: pool, leases: leases{sqlstore.NewCore(db{leasePool}), leasePool},
		sql: stdlib.OpenDB(*cfg.ConnConfig),
	}, nil
}

// dead is how long a connection is believed in whose other end says nothing: a host that lost its power closes none.
var dead = net.KeepAliveConfig{Enable: true, Idle: 5 * time.Second, Interval: 2 * time.Second, Count: 3}

func dial(ctx context.Context, network, addr string) (net.Conn, error) {
	d := net.Dialer{KeepAliveConfig: dead}
	return d.DialContext(ctx, network, addr)
}

// bound has the server give up the sessions of a client that is gone, or that was frozen within a transaction: their locks
// would hold up whoever takes over. No statement of ours takes a minute; the URL can say otherwise, ?statement_timeout=5min. To compile
// a list's statement takes longer than to run it.
func bound(ctx context.Context, conn *pgx.Conn) error {
	sets := "SET tcp_keepalives_idle = 5; SET tcp_keepalives_interval = 2; SET tcp_keepalives_count = 3; " +
		"SET idle_in_transaction_session_timeout = '3s'; SET jit = off"
	if conn.Config().RuntimeParams["statement_timeout"] == "" {
		sets += "; SET statement_timeout = '60s'"
	}
	_, err := conn.Exec(ctx, sets)
	return away(err)
}

// Close lets go of the connections.
func (s *Store) Close() error {
	err := s.sql.Close()
	s.pool.Close()
	s.leases.pool.Close()
	return err
}

// Ping reports whether the database answers.
func (s *Store) Ping(ctx context.Context) error {
	if err := s.pool.Ping(ctx); err != nil {
		return fmt.Errorf("store: ping: %w", away(err))
	}
	return nil
}

// oldest is the major version of PostgreSQL that the tables need: triggers that are replaced, texts that are taken apart.
const oldest = 14

// Migrate brings the tables up to this version, under a lock of the database. A server that is too old is told so.
func (s *Store) Migrate(ctx context.Context) error {
	var server int
	if err := s.pool.QueryRow(ctx, "SELECT current_setting('server_version_num')::int").Scan(&server); err != nil {
		return fmt.Errorf("store: version of the server: %w", away(err))
	}
	if err := supported(server); err != nil {
		return err
	}
	p, err := s.provider()
	if err != nil {
		return err
	}
	for {
		err := away(sqlstore.Migrate(ctx, p))
		if pg, ok := errors.AsType[*pgconn.PgError](err); !ok || pg.Code != lockNotAvailable {
			return err
		}
		select { // somebody reads a table for long, and others want to write to it meanwhile
		case <-ctx.Done():
			return err
		case <-time.After(time.Second):
		}
	}
}

// lockNotAvailable is what a migration ends with that has waited for its lock_timeout.
const lockNotAvailable = "55P03"

// supported refuses a server by its server_version_num, as 130014 is 13.14.
func supported(server int) error {
	if server < oldest*10_000 {
		return fmt.Errorf("store: PostgreSQL %d or newer is needed, this one is %d.%d", oldest, server/10_000, server%10_000)
	}
	return nil
}

// Version returns the version of the tables and the one that this binary wants.
func (s *Store) Version(ctx context.Context) (have, want int64, err error) {
	p, err := s.provider()
	if err != nil {
		return 0, 0, err
	}
	have, want, err = sqlstore.Version(ctx, p)
	return have, want, away(err)
}

func (s *Store) provider() (*goose.Provider, error) {
	// The lock is asked for every second, for a minute.
	locker, err := lock.NewPostgresSessionLocker(lock.WithLockTimeout(1, 60))
	if err != nil {
		return nil, fmt.Errorf("store: migrations: %w", err)
	}
	p, err := goose.NewProvider(goose.DialectPostgres, s.sql, migrations.Postgres(),
		goose.WithSessionLocker(locker), goose.WithDisableGlobalRegistry(true), goose.WithAllowOutofOrder(true))
	if err != nil {
		return nil, fmt.Errorf("store: migrations: %w", err)
	}
	return p, nil
}
