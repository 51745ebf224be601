// SPDX-License-Identifier: Apache-2.0

package sqlite

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"tocsin/store"
	"tocsin/store/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func kind() storetest.Kind {
	return storetest.Kind{
		Open: func(t testing.TB) store.Store { return open1(t, filepath.Join(t.TempDir(), "a b?c#d%41.db")) },
		Exec: func(t testing.TB, s store.Store, query string) {
			t.Helper()
			if _, err := s.(*Store).db.writer.ExecContext(t.Context(), query); err != nil {
				t.Fatalf("%s: %v", query, err)
			}
		},
		Try: func(t testing.TB, s store.Store, query string) error {
			t.Helper()
			_, err := s.(*Store).db.writer.ExecContext(t.Context(), query)
			return err
		},
		Loose: func(t testing.TB, s store.Store) {
			t.Helper()
			if _, err := s.(*Store).db.writer.ExecContext(t.Context(), "DROP TRIGGER audit_stays; DROP TRIGGER audit_keeps"); err != nil {
				t.Fatal(err)
			}
		},
	}
}

func open1(t testing.TB, path string) *Store {
	t.Helper()
	s, err := Open(t.Context(), path)
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

func BenchmarkSnapshot(b *testing.B) { storetest.BenchmarkSnapshot(b, kind()) }

func BenchmarkSeal(b *testing.B) { storetest.BenchmarkSeal(b, kind()) }

// BenchmarkHundredThousand asks of a tenth of a million what BenchmarkMillion asks.
func BenchmarkHundredThousand(b *testing.B) {
	storetest.BenchmarkMillion(b, kind().Open(b), 100_000, nil)
}

// BenchmarkMillion is of the file that TOCSIN_MILLION names, which is filled the first time and kept.
func BenchmarkMillion(b *testing.B) {
	path, ok := strings.CutPrefix(os.Getenv("TOCSIN_MILLION"), "sqlite:")
	if !ok {
		b.Skip("TOCSIN_MILLION names no sqlite:PATH: to fill one takes long")
	}
	storetest.BenchmarkMillion(b, open1(b, path), 1_000_000, nil)
}

// A commit that returned must survive a power cut, and readers must not wait for the writer.
func TestSettings(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "x.db")
	s := open1(t, path)
	for pragma, want := range map[string]string{"journal_mode": "wal", "synchronous": "2", "busy_timeout": "5000", "foreign_keys": "1"} {
		var got string
		if err := s.db.writer.QueryRowContext(t.Context(), "PRAGMA "+pragma).Scan(&got); err != nil || got != want {
			t.Errorf("%s = %q, %v; want %q", pragma, got, err, want)
		}
	}
	if _, err := s.db.reader.ExecContext(t.Context(), "DELETE FROM incidents"); err == nil {
		t.Error("a reader may write")
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode of the file: %v, %v; want 0600", info.Mode(), err)
	}
}
