// SPDX-License-Identifier: Apache-2.0

package pipeline

import (
	"context"
	"database/sql"
	"errors"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"golang.org/x/mod/sumdb/tlog"

	"tocsin/proof"
	"tocsin/store"
	"tocsin/store/open"
)

// auditLog is a log in a file, and the same file behind the store's back.
type auditLog struct {
	store.Store
	behind *sql.DB
	now    time.Time
}

func newAuditLog(t *testing.T) *auditLog {
	t.Helper()
	path := filepath.Join(t.TempDir(), "x.db")
	s, err := open.Store(t.Context(), "sqlite:"+path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	if err := s.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	l := &auditLog{s, db, time.Unix(1_700_000_000, 0)}
	l.exec(t, "DROP TRIGGER audit_stays; DROP TRIGGER audit_keeps")
	return l
}

func (l *auditLog) exec(t *testing.T, query string) {
	t.Helper()
	if _, err := l.behind.ExecContext(t.Context(), query); err != nil {
		t.Fatal(err)
	}
}

func (l *auditLog) act(t *testing.T, n int) {
	t.Helper()
	for range n {
		if _, err := l.Record(t.Context(), store.Entry{Actor: "ana", Object: "/api/v1/incidents/" + strings.Repeat("a", 32) + "/close", Outcome: "refused"}); err != nil {
			t.Fatal(err)
		}
	}
}

// auditor is another process with a key of its own, or the same key.
func (l *auditLog) auditor(t *testing.T, secret string) *Auditor {
	t.Helper()
	key, err := proof.ParseKey(secret)
	if err != nil {
		t.Fatal(err)
	}
	return &Auditor{
		Store: l.Store, Key: key, Metrics: NewAuditMetrics(prometheus.NewRegistry()), Log: slog.New(slog.DiscardHandler),
		Now: func() time.Time { return l.now },
	}
}

func newSecret(t *testing.T) string {
	t.Helper()
	secret, err := proof.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	return secret
}

func sealed(t *testing.T, a *Auditor) proof.Signed {
	t.Helper()
	signed, err := a.Seal(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return signed
}

// TestReplicasSealAndVerify: of two processes each signs what both did; what it signed is proved, entry by entry and from one
// checkpoint to the next.
func TestReplicasSealAndVerify(t *testing.T) {
	t.Parallel()
	l := newAuditLog(t)
	a, b := l.auditor(t, newSecret(t)), l.auditor(t, newSecret(t))
	l.act(t, 3)
	first := sealed(t, a)
	l.act(t, sealBatch+2)
	second := sealed(t, b)
	if first.Tree.N != 3 || second.Tree.N != sealBatch+5 {
		t.Fatalf("trees of %d and %d", first.Tree.N, second.Tree.N)
	}
	if tree, err := proof.Checkpoint(second.Note, b.Key.Public()); err != nil || tree != second.Tree {
		t.Errorf("%v, %v", tree, err)
	}
	p, err := b.Extension(t.Context(), second, first.Tree.N)
	if err == nil {
		err = tlog.CheckTree(p, second.Tree.N, second.Tree.Hash, first.Tree.N, first.Tree.Hash)
	}
	if err != nil {
		t.Errorf("from one to the next: %v", err)
	}
	entries, more, err := b.EntriesOf(t.Context(), second, strings.Repeat("a", 32), 10)
	if err != nil || len(entries) != 10 || !more {
		t.Fatalf("%d entries, more %t, %v", len(entries), more, err)
	}
	for _, e := range entries {
		if err := tlog.CheckRecord(e.Proof, second.Tree.N, second.Tree.Hash, e.Place, e.Entry.Hash()); err != nil {
			t.Errorf("entry %d: %v", e.Entry.ID, err)
		}
	}
	for _, x := range []*Auditor{a, b} {
		if err := x.Verify(t.Context()); err != nil {
			t.Error(err)
		}
		if st := x.Standing(); st.Checked != l.now.UnixNano() || st.Problem != "" {
			t.Errorf("%+v", st)
		}
	}
}

// TestChangesAreFound: a look at the whole log names what was changed, and again once it is mended, nothing.
func TestChangesAreFound(t *testing.T) {
	t.Parallel()
	l := newAuditLog(t)
	a := l.auditor(t, newSecret(t))
	l.act(t, 5)
	sealed(t, a)
	l.exec(t, "UPDATE audit SET actor = 'bo' WHERE id = 4")
	if err := a.Verify(t.Context()); err == nil || !strings.Contains(err.Error(), "entry 4") {
		t.Errorf("%v", err)
	}
	if st := a.Standing(); !strings.Contains(st.Problem, "entry 4, place 3") || testutil.ToFloat64(a.Metrics.Failures) != 1 || testutil.ToFloat64(a.Metrics.Verified) != 0 {
		t.Errorf("%+v, %v failures", st, testutil.ToFloat64(a.Metrics.Failures))
	}
	l.exec(t, "UPDATE audit SET actor = 'ana' WHERE id = 4")
	if err := a.Verify(t.Context()); err != nil || a.Standing().Problem != "" {
		t.Errorf("%v, %+v", err, a.Standing())
	}
}

// TestNothingIsSignedThatIsAnother: a log whose tree was made anew after a change, or that was put back, is not signed; by a process
// that was started again, neither.
func TestNothingIsSignedThatIsAnother(t *testing.T) {
	t.Parallel()
	anew := []string{"UPDATE audit SET leaf = NULL, actor = 'bo'", "DELETE FROM audit_hashes", "UPDATE audit_tree SET size = 0"}
	for name, queries := range map[string][]string{
		"made anew":                        anew,
		"made anew, the checkpoint gone":   append([]string{"DELETE FROM audit_checkpoints"}, anew...),
		"the last are gone":                {"DELETE FROM audit WHERE id > 3", "DELETE FROM audit_hashes WHERE at > 4", "UPDATE audit_tree SET size = 3"},
		"the checkpoint is another's text": {"UPDATE audit_checkpoints SET note = replace(note, '5', '6')"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newAuditLog(t)
			secret := newSecret(t)
			a := l.auditor(t, secret)
			l.act(t, 5)
			sealed(t, a)
			for _, query := range queries {
				l.exec(t, query)
			}
			again := l.auditor(t, secret)
			for who, x := range map[string]*Auditor{"the same process": a, "one that was started again": again} {
				if strings.HasSuffix(name, "gone") && strings.Contains(name, "checkpoint") && x == again {
					continue // nothing is left that could tell: who wants to know keeps a checkpoint elsewhere
				}
				if signed, err := x.Seal(t.Context()); err == nil {
					t.Errorf("%s signs %+v", who, signed)
				}
				if err := x.Verify(t.Context()); err == nil {
					t.Errorf("%s finds nothing", who)
				}
			}
		})
	}
}

// dying is a process that ends at one step of a round: before the store has heard of it, or after that.
type dying struct {
	store.AuditTree
	at     string
	before bool
}

var errDied = errors.New("it died")

func (d dying) step(name string, do func() error) error {
	if d.at == name && d.before {
		return errDied
	}
	if err := do(); err != nil || d.at != name {
		return err
	}
	return errDied
}

func (d dying) Seal(ctx context.Context, limit int, startedFor time.Duration) (n int, err error) {
	return n, d.step("entering", func() error {
		n, err = d.AuditTree.Seal(ctx, limit, startedFor)
		return err
	})
}

func (d dying) TreeSize(ctx context.Context) (n int64, err error) {
	return n, d.step("reading the tree", func() error {
		n, err = d.AuditTree.TreeSize(ctx)
		return err
	})
}

func (d dying) KeepCheckpoint(ctx context.Context, key string, size int64, note string) error {
	return d.step("keeping the checkpoint", func() error { return d.AuditTree.KeepCheckpoint(ctx, key, size, note) })
}

// TestASealingIsCutShort: wherever a process dies in a round, also when entries have entered the tree and no checkpoint has them, the next
// round of whoever it is signs all that is there, as the continuation of what was signed before.
func TestASealingIsCutShort(t *testing.T) {
	t.Parallel()
	for _, at := range []string{"entering", "reading the tree", "keeping the checkpoint"} {
		for name, before := range map[string]bool{"before ": true, "after ": false} {
			for who, same := range map[string]bool{", the same": true, ", another": false} {
				t.Run(name+at+who, func(t *testing.T) {
					t.Parallel()
					l, secret := newAuditLog(t), newSecret(t)
					l.act(t, 3)
					first := sealed(t, l.auditor(t, secret))
					l.act(t, 2)
					died := l.auditor(t, secret)
					died.Store = dying{l.Store, at, before}
					if signed, err := died.Seal(t.Context()); !errors.Is(err, errDied) || signed.Note != "" {
						t.Fatalf("it signed %+v, %v", signed, err)
					}
					if !same {
						secret = newSecret(t)
					}
					next := l.auditor(t, secret)
					signed := sealed(t, next)
					if signed.Tree.N != 5 {
						t.Errorf("a tree of %d is signed", signed.Tree.N)
					}
					if kept, err := next.kept(t.Context()); err != nil || kept != signed.Tree {
						t.Errorf("what is kept is %+v, %v", kept, err)
					}
					p, err := next.Extension(t.Context(), signed, first.Tree.N)
					if err == nil {
						err = tlog.CheckTree(p, signed.Tree.N, signed.Tree.Hash, first.Tree.N, first.Tree.Hash)
					}
					if err != nil {
						t.Errorf("from the one before: %v", err)
					}
					if err := next.Verify(t.Context()); err != nil {
						t.Error(err)
					}
				})
			}
		}
	}
}
