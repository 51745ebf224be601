// SPDX-License-Identifier: Apache-2.0

package postgres

import (
	"testing"

	"go.uber.org/goleak"

	"tocsin/store"
	"tocsin/store/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func kind() storetest.Kind {
	return storetest.Kind{
		Open: func(t testing.TB) store.Store { return open(t) },
		Exec: func(t testing.TB, s store.Store, query string) {
			t.Helper()
			if _, err := s.(*Store).pool.Exec(t.Context(), query); err != nil {
				t.Fatalf("%s: %v", query, err)
			}
		},
	}
}

func open(t testing.TB) *Store {
	t.Helper()
	s, err := Open(t.Context(), storetest.PostgresURL(t))
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

func TestStore(t *testing.T) { storetest.Run(t, kind()) }

func BenchmarkCommit(b *testing.B) { storetest.BenchmarkCommit(b, kind()) }
