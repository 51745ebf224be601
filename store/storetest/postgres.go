// SPDX-License-Identifier: Apache-2.0

package storetest

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"net/url"
	"os"
	"testing"

	"github.com/jackc/pgx/v5"
)

// PostgresURL creates an empty database for one test and returns its URL; it is dropped when the test ends.
func PostgresURL(t testing.TB) string {
	t.Helper()
	server := os.Getenv("TOCSIN_TEST_POSTGRES")
	if server == "" {
		t.Fatal("TOCSIN_TEST_POSTGRES is not set: run `make test`, which starts a PostgreSQL for the tests")
	}
	u, err := url.Parse(server)
	if err != nil {
		t.Fatalf("TOCSIN_TEST_POSTGRES: %v", err)
	}
	var b [8]byte
	_, _ = rand.Read(b[:]) // it never fails
	name := "tocsin_test_" + hex.EncodeToString(b[:])
	admin(t, server, "CREATE DATABASE "+name+" TEMPLATE template0")
	t.Cleanup(func() { admin(t, server, "DROP DATABASE IF EXISTS "+name+" WITH (FORCE)") })
	u.Path = "/" + name
	return u.String()
}

func admin(t testing.TB, server, query string) {
	t.Helper()
	ctx := context.Background() // the test's own is done when it cleans up
	conn, err := pgx.Connect(ctx, server)
	if err != nil {
		t.Fatalf("connect to TOCSIN_TEST_POSTGRES: %v", err)
	}
	_, err = conn.Exec(ctx, query)
	if end := conn.Close(ctx); err == nil {
		err = end
	}
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
}
