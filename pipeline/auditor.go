// SPDX-License-Identifier: Apache-2.0

package pipeline

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/mod/sumdb/tlog"

	"tocsin/proof"
	"tocsin/store"
)

const (
	// sealEvery is how long an entry waits for its place in the tree, if nobody asks for it before.
	sealEvery = time.Minute
	// sealBatch bounds how long the tree is locked; a database ends a transaction that takes seconds.
	sealBatch = 200
	// startedFor is how long an act may take whose outcome the tree shall have: no request takes an hour, its process has ended.
	startedFor = time.Hour
)

// Auditor has the entries of the audit log enter its tree, signs checkpoints, and reads all again to see that nothing was changed.
// Several may do it at once: the store has one add to the tree at a time, and each signs with its own key, or all with one.
type Auditor struct {
	Store   store.AuditTree
	Key     proof.Key
	Metrics *AuditMetrics
	Log     *slog.Logger
	Now     func() time.Time

	alone sync.Mutex // is held by who signs
	mu    sync.Mutex
	last  proof.Standing
}

// AuditMetrics are those of the tree of the audit log.
type AuditMetrics struct {
	Signed, Verified prometheus.Gauge
	Failures         prometheus.Counter
}

// NewAuditMetrics registers the metrics.
func NewAuditMetrics(reg prometheus.Registerer) *AuditMetrics {
	m := &AuditMetrics{
		Signed: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "tocsin_audit_checkpoint_timestamp_seconds", Help: "When this process last signed a checkpoint of all that is in the audit log's tree.",
		}),
		Verified: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "tocsin_audit_verified_timestamp_seconds", Help: "When the audit log was last found to be what the checkpoint says.",
		}),
		Failures: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "tocsin_audit_verification_failures_total", Help: "Times that the audit log was not what was signed.",
		}),
	}
	reg.MustRegister(m.Signed, m.Verified, m.Failures)
	return m
}

// Run seals, signs and verifies until ctx ends. It reads the whole log for a twentieth of the time at most.
func (a *Auditor) Run(ctx context.Context) error {
	var next time.Time
	for {
		if _, err := a.Seal(ctx); err != nil && ctx.Err() == nil {
			a.Log.Warn("the audit log has no new checkpoint", "err", err)
		}
		if began := a.Now(); !began.Before(next) {
			if err := a.Verify(ctx); err != nil && ctx.Err() == nil {
				a.Log.Error("the audit log does not verify", "err", err)
			}
			next = began.Add(20 * a.Now().Sub(began))
		}
		if !pause(ctx, sealEvery) {
			return nil
		}
	}
}

// Seal has all entries enter that may, and returns the checkpoint of the tree that they make. Nothing is signed that does not have all
// that the key has signed before.
func (a *Auditor) Seal(ctx context.Context) (proof.Signed, error) {
	for { // the store has one do this at a time
		n, err := a.Store.Seal(ctx, sealBatch, startedFor)
		if err != nil {
			return proof.Signed{}, err
		}
		if n < sealBatch {
			break
		}
	}
	a.alone.Lock()
	defer a.alone.Unlock()
	// What was signed is read first: another with the same key may sign a larger tree meanwhile.
	kept, err := a.kept(ctx)
	if err != nil {
		return proof.Signed{}, err
	}
	size, err := a.Store.TreeSize(ctx)
	if err != nil {
		return proof.Signed{}, err
	}
	root, err := tlog.TreeHash(size, a.hashes(ctx))
	if err != nil {
		return proof.Signed{}, err
	}
	now := tlog.Tree{N: size, Hash: root}
	for _, before := range []tlog.Tree{kept, a.remembered()} {
		if err := a.extends(ctx, now, before); err != nil {
			return proof.Signed{}, err
		}
	}
	msg, err := a.Key.Sign(now)
	if err != nil {
		return proof.Signed{}, err
	}
	if err := a.Store.KeepCheckpoint(ctx, a.Key.Public(), size, msg); err != nil {
		return proof.Signed{}, err
	}
	a.Metrics.Signed.Set(float64(a.Now().UnixNano()) / 1e9)
	signed := proof.Signed{Note: msg, Tree: now, At: a.Now().UnixNano(), Key: a.Key.Public()}
	a.mu.Lock()
	a.last.Signed = signed
	a.mu.Unlock()
	return signed, nil
}

// kept returns the tree of the checkpoint that the store has, the empty one if it has none.
func (a *Auditor) kept(ctx context.Context) (tlog.Tree, error) {
	msg, _, err := a.Store.Checkpoint(ctx, a.Key.Public())
	if err != nil || msg == "" {
		return tlog.Tree{Hash: proof.Empty()}, err
	}
	return proof.Checkpoint(msg, a.Key.Public())
}

// remembered returns the tree that this process has signed last: the store may have forgotten it, or have been put back.
func (a *Auditor) remembered() tlog.Tree {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.last.Signed.Note == "" {
		return tlog.Tree{Hash: proof.Empty()}
	}
	return a.last.Signed.Tree
}

// extends reports why a tree does not have all that an earlier one had.
func (a *Auditor) extends(ctx context.Context, now, before tlog.Tree) error {
	if now.N < before.N {
		return fmt.Errorf("the tree has %d entries, and a checkpoint of %d was signed", now.N, before.N)
	}
	root, err := tlog.TreeHash(before.N, a.hashes(ctx))
	if err == nil && root != before.Hash {
		err = fmt.Errorf("the tree of the first %d entries is not the one that was signed", before.N)
	}
	return err
}

func (a *Auditor) hashes(ctx context.Context) tlog.HashReader {
	return tlog.HashReaderFunc(func(at []int64) ([]tlog.Hash, error) { return a.Store.TreeHashes(ctx, at) })
}

// Standing returns the newest checkpoint of this process, and how the last look at the whole log ended.
func (a *Auditor) Standing() proof.Standing {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.last
}

// Verify reads the whole log again and compares it with what was signed. What it finds stays in [Auditor.Standing].
func (a *Auditor) Verify(ctx context.Context) error {
	err := a.verify(ctx)
	if ctx.Err() != nil || errors.Is(err, store.ErrUnavailable) {
		return err // nothing was found out
	}
	at := a.Now().UnixNano()
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.last.Checked, a.last.Problem = at, ""; err != nil {
		a.last.Problem = err.Error()
		a.Metrics.Failures.Inc()
		return err
	}
	a.Metrics.Verified.Set(float64(at) / 1e9)
	return nil
}

func (a *Auditor) verify(ctx context.Context) error {
	before := a.remembered() // first: a larger tree may be signed meanwhile
	signed, err := a.kept(ctx)
	if err != nil {
		return err
	}
	return proof.CheckLog(signed, before, a.hashes(ctx), func(from int64, n int) ([]proof.Placed, error) {
		leaves, err := a.Store.Leaves(ctx, from, n)
		out := make([]proof.Placed, len(leaves))
		for i, l := range leaves {
			out[i] = l.Placed()
		}
		return out, err
	})
}

// EntriesOf returns entries of a signed tree about an incident, each with the proof that it is in the tree, and whether there are more.
func (a *Auditor) EntriesOf(ctx context.Context, signed proof.Signed, incident string, limit int) ([]proof.Proved, bool, error) {
	leaves, more, err := a.Store.LeavesOf(ctx, incident, signed.Tree.N, limit)
	if err != nil {
		return nil, false, err
	}
	out := make([]proof.Proved, len(leaves))
	hashes := proof.Cached(a.hashes(ctx))
	for i, l := range leaves {
		p, err := tlog.ProveRecord(signed.Tree.N, l.Place, hashes)
		if err != nil {
			return nil, false, err
		}
		out[i] = proof.Proved{Placed: l.Placed(), Proof: p}
	}
	return out, more, nil
}

// Extension proves that a signed tree has all that the tree of its first entries has.
func (a *Auditor) Extension(ctx context.Context, signed proof.Signed, size int64) (tlog.TreeProof, error) {
	return tlog.ProveTree(signed.Tree.N, size, a.hashes(ctx))
}

// Pack signs the files of a bundle and packs them.
func (a *Auditor) Pack(files []proof.File) ([]byte, error) { return a.Key.Pack(files) }
