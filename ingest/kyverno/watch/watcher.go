// SPDX-License-Identifier: Apache-2.0

package watch

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/dynamic"
	coordination "k8s.io/client-go/kubernetes/typed/coordination/v1"
	"k8s.io/client-go/rest"
	"k8s.io/klog/v2"

	"tocsin/ingest/kyverno"
)

// Config is what a Watcher needs.
type Config struct {
	// Access is the cluster's API server, as of [Connect].
	Access *rest.Config
	// Store remembers what was told; Commit returns when records are on disk.
	Store  kyverno.Store
	Commit kyverno.Commit
	// Cluster names the cluster, in records, identities and keys. Input is the input of the records.
	Cluster, Input string
	// Lease, if not nil, lets one of several replicas watch.
	Lease *Lease
	// Relist is how often all is listed anew, since a watch may miss what another replica of an aggregated API server
	// took (protocols.md 2.4); 0 is 10 min. Discover is how often a CRD that is not there is looked for; 0 is 30 s.
	Relist, Discover time.Duration
	// Records counts what was committed, by source and outcome; it may be nil.
	Records *prometheus.CounterVec
	// Connected is, by resource, 1 while a kind is listed and watched, or the cluster is known not to have it; on a
	// replica that does not hold the Lease it is 0. Errors counts what goes wrong, by what it was: lease, discovery, watch, or
	// report, one that cannot be read. Either may be nil.
	Connected *prometheus.GaugeVec
	Errors    *prometheus.CounterVec
	// Failed, if not nil, is called with each error that Errors counts, from any goroutine. It must not block.
	Failed func(err error)
	Log    *slog.Logger
	// Now is the clock; nil is the system's.
	Now func() time.Time
	// Settled is called whenever all that one list of a kind had is told. Nil but in tests.
	Settled func(kind string)
}

// Watcher commits a record of each change of the cluster's policy reports, and of each blocked admission.
type Watcher struct {
	cfg       Config
	dynamic   dynamic.Interface
	discovery discovery.DiscoveryInterfaceWithContext
	leases    coordination.LeasesGetter
}

// New returns a Watcher. It does not call the API server yet.
func New(cfg Config) (*Watcher, error) {
	if cfg.Access == nil || cfg.Store == nil || cfg.Commit == nil || cfg.Log == nil {
		return nil, errors.New("kyverno: Access, Store, Commit and Log are required")
	}
	cfg.Input = cmp.Or(cfg.Input, kyverno.Source)
	cfg.Relist, cfg.Discover = cmp.Or(cfg.Relist, 10*time.Minute), cmp.Or(cfg.Discover, 30*time.Second)
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	w := &Watcher{cfg: cfg}
	w.unhealthy()
	var err error
	if w.dynamic, err = dynamic.NewForConfig(cfg.Access); err != nil {
		return nil, fmt.Errorf("client of Kubernetes: %w", err)
	}
	d, err := discovery.NewDiscoveryClientForConfig(cfg.Access)
	if err != nil {
		return nil, fmt.Errorf("client of Kubernetes: %w", err)
	}
	w.discovery = discovery.ToDiscoveryInterfaceWithContext(d)
	if w.leases, err = coordination.NewForConfig(cfg.Access); err != nil {
		return nil, fmt.Errorf("client of Kubernetes: %w", err)
	}
	return w, nil
}

// Run watches until ctx ends. It returns an error only if it cannot begin.
func (w *Watcher) Run(ctx context.Context) error {
	ctx = klog.NewContext(ctx, logr.FromSlogHandler(w.cfg.Log.Handler()))
	if w.cfg.Lease == nil {
		w.watch(ctx, func() error { return nil })
		return nil
	}
	return w.lead(ctx, w.watch)
}

// watch follows every kind until ctx ends.
func (w *Watcher) watch(ctx context.Context, held func() error) {
	var g errgroup.Group
	for _, k := range kinds() {
		g.Go(func() error { w.follow(ctx, k, held); return nil })
	}
	_ = g.Wait() // none returns an error
}

// follow lists and watches one kind, again and again: it comes and goes with its CRD.
func (w *Watcher) follow(ctx context.Context, k kind, held func() error) {
	log := w.cfg.Log.With("resource", k.String())
	defer w.connected(k, false)
	for absent := false; ctx.Err() == nil; {
		found, err := w.round(ctx, k, held, absent)
		switch {
		case err != nil:
		case found && absent:
			log.Info("the cluster has it now")
			absent = false
			continue
		case found:
			continue // time to list again
		case !absent:
			log.Info("the cluster does not have it: waiting for it")
			absent = true
		}
		if err != nil && ctx.Err() == nil {
			log.Warn("cannot watch now", "err", err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(w.cfg.Discover):
		}
	}
}

// round lists and watches a kind once if the cluster has it, and settles that it has not. A kind that was absent in the
// last round is looked for, no more. The term is taken before anything is asked, so that all answers are of it.
func (w *Watcher) round(ctx context.Context, k kind, held func() error, absent bool) (found bool, err error) {
	if absent {
		_, found, err = w.discovered(ctx, k)
		return found, err
	}
	ledger, err := w.newTerm(ctx, k, held)
	if err != nil {
		return false, err
	}
	gvr, found, err := w.discovered(ctx, k)
	if err != nil {
		return false, err
	}
	if !found {
		return false, w.absent(ctx, k, ledger)
	}
	return true, w.session(ctx, k, gvr, ledger)
}

// absent settles what is remembered of a kind that the cluster does not have: its objects are gone. What comes with a
// CRD that comes later was not there at the start.
func (w *Watcher) absent(ctx context.Context, k kind, ledger *kyverno.Ledger) error {
	keys, err := w.remembered(ctx, k)
	if err != nil {
		return err
	}
	for _, key := range keys {
		if err := w.settle(ctx, ledger, k, key, nil, false); err != nil {
			return err
		}
	}
	if err := w.markStarted(ctx, k); err != nil {
		return err
	}
	if w.cfg.Settled != nil {
		w.cfg.Settled(k.name)
	}
	return nil
}

// key is where an object is remembered: a bucket may be shared by clusters.
func (w *Watcher) key(k kind, object string) string {
	return w.cfg.Cluster + "/" + k.name + "/" + object
}

// remembered lists the objects of a kind of which something is remembered.
func (w *Watcher) remembered(ctx context.Context, k kind) ([]string, error) {
	all, err := w.cfg.Store.Keys(ctx)
	if err != nil {
		return nil, fmt.Errorf("what is remembered: %w", err)
	}
	var out []string
	for _, key := range all {
		if object, ok := strings.CutPrefix(key, w.key(k, "")); ok {
			out = append(out, object)
		}
	}
	return out, nil
}

// started says whether the kind was listed in full before, by anybody.
func (w *Watcher) started(ctx context.Context, k kind) (bool, error) {
	_, revision, err := w.cfg.Store.Get(ctx, w.startKey(k))
	if err != nil {
		return false, fmt.Errorf("the first start: %w", err)
	}
	return revision != 0, nil
}

func (w *Watcher) startKey(k kind) string { return w.cfg.Cluster + "/started/" + k.name }

func (w *Watcher) markStarted(ctx context.Context, k kind) error {
	done, err := w.started(ctx, k)
	if err != nil || done {
		return err
	}
	if _, err := w.cfg.Store.Put(ctx, w.startKey(k), []byte(w.cfg.Now().UTC().Format(time.RFC3339)), 0); err != nil {
		return fmt.Errorf("the first start: %w", err)
	}
	return nil
}
