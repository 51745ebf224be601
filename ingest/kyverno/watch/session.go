// SPDX-License-Identifier: Apache-2.0

package watch

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/util/workqueue"

	"tocsin/ingest/kyverno"
)

// workers settle objects of one kind; their records share the commits of the stream.
const workers = 4

// session is one list of a kind and the watch that follows it.
type session struct {
	w      *Watcher
	kind   kind
	ledger *kyverno.Ledger
	store  cache.Store
	queue  workqueue.TypedRateLimitingInterface[string]
	// stop ends it, with a reason.
	stop context.CancelCauseFunc

	mu sync.Mutex
	// initial are the objects of the list, and those remembered that it does not have, until they are settled.
	initial map[string]bool
	// first is true if nobody had listed the kind before.
	first bool
}

// session lists, watches and settles until it is time to list again, the kind is gone, somebody else lists it, or ctx
// ends. Only the latter three are errors.
func (w *Watcher) session(ctx context.Context, k kind, gvr schema.GroupVersionResource, ledger *kyverno.Ledger) error {
	started, err := w.started(ctx, k)
	if err != nil {
		return err
	}
	listing, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	informer := cache.NewSharedIndexInformer(w.lister(gvr, k), &unstructured.Unstructured{}, 0, cache.Indexers{})
	s := &session{
		w: w, kind: k, ledger: ledger, stop: stop, store: informer.GetStore(), first: !started && !k.events,
		queue: workqueue.NewTypedRateLimitingQueue(workqueue.NewTypedItemExponentialFailureRateLimiter[string](50*time.Millisecond, 30*time.Second)),
	}
	if err := errors.Join(
		informer.SetTransform(k.slim),
		informer.SetWatchErrorHandlerWithContext(func(_ context.Context, _ *cache.Reflector, err error) {
			if apierrors.IsNotFound(err) {
				stop(err) // the CRD is gone
			} // the lister has said all else
		}),
	); err != nil {
		return fmt.Errorf("informer of %s: %w", gvr, err)
	}
	if _, err := informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc: s.enqueue, UpdateFunc: func(_, obj any) { s.enqueue(obj) }, DeleteFunc: s.enqueue,
	}); err != nil {
		return fmt.Errorf("informer of %s: %w", gvr, err)
	}
	var wg sync.WaitGroup
	wg.Go(func() { informer.RunWithContext(listing) })
	defer wg.Wait()
	defer s.queue.ShutDown()
	defer stop(nil)
	if !cache.WaitForCacheSync(listing.Done(), informer.HasSynced) {
		return context.Cause(listing)
	}
	if err := s.begin(ctx); err != nil {
		return err
	}
	for range workers {
		wg.Go(func() { s.work(ctx) })
	}
	relist := time.NewTimer(w.cfg.Relist)
	defer relist.Stop()
	select {
	case <-listing.Done():
		return context.Cause(listing)
	case <-relist.C:
		return nil
	}
}

// enqueue asks for a look at an object.
func (s *session) enqueue(obj any) {
	if o, ok := obj.(*listed); ok && o.nothing {
		return
	}
	if key, err := cache.DeletionHandlingMetaNamespaceKeyFunc(obj); err == nil {
		s.queue.Add(key)
	}
}

// begin asks for a look at all that is listed or remembered.
func (s *session) begin(ctx context.Context) error {
	keys, err := s.w.remembered(ctx, s.kind)
	if err != nil {
		return err
	}
	for _, obj := range s.store.List() {
		if o, ok := obj.(*listed); ok && o.nothing {
			continue
		}
		key, err := cache.MetaNamespaceKeyFunc(obj)
		if err != nil {
			return fmt.Errorf("informer: %w", err)
		}
		keys = append(keys, key)
	}
	if len(keys) == 0 {
		keys = append(keys, "") // that there is nothing is settled, too
	}
	initial := make(map[string]bool, len(keys))
	for _, key := range keys {
		initial[key] = s.first
	}
	s.mu.Lock()
	s.initial = initial
	s.mu.Unlock()
	for _, key := range keys {
		s.queue.Add(key)
	}
	return nil
}

// work settles one object after the other until the queue is shut down.
func (s *session) work(ctx context.Context) {
	for {
		key, end := s.queue.Get()
		if end {
			return
		}
		if err := s.look(ctx, key); err == nil {
			s.queue.Forget(key)
		} else if errors.Is(err, errSuperseded) {
			s.stop(errSuperseded) // nothing that this list had may be told
		} else if ctx.Err() == nil {
			level := slog.LevelWarn
			if s.queue.NumRequeues(key) == 0 {
				level = slog.LevelDebug // most often another replica was there first, and the next look finds so
			}
			s.w.cfg.Log.Log(ctx, level, "will be tried again", "resource", s.kind.resource, "object", key, "err", err)
			s.queue.AddRateLimited(key)
		}
		s.queue.Done(key)
	}
}

// look settles one object as it is now. The last of the first list ends the start.
func (s *session) look(ctx context.Context, key string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	atStart, initial := s.initial[key]
	s.mu.Unlock()
	if key != "" {
		obj, _, err := s.store.GetByKey(key)
		if err != nil {
			return fmt.Errorf("informer: %w", err)
		}
		o, _ := obj.(*listed) // nil if it is gone
		if err := s.w.settle(ctx, s.ledger, s.kind, key, o, atStart); err != nil {
			return err
		}
	}
	if !initial {
		return nil
	}
	s.mu.Lock()
	delete(s.initial, key)
	last := len(s.initial) == 0
	s.mu.Unlock()
	if !last {
		return nil
	}
	if err := s.w.markStarted(ctx, s.kind); err != nil {
		s.mu.Lock()
		s.initial[key] = atStart // the start has not ended
		s.mu.Unlock()
		return err
	}
	if s.w.cfg.Settled != nil {
		s.w.cfg.Settled(s.kind.name)
	}
	return nil
}

// settle commits what changed of one object, nil if it is gone.
func (w *Watcher) settle(ctx context.Context, ledger *kyverno.Ledger, k kind, object string, o *listed, atStart bool) error {
	key := w.key(k, object)
	if o == nil {
		o = &listed{}
	}
	var n int
	var err error
	switch {
	case o.unread != "":
		// What cannot be read says nothing, not even that violations ended. The next rewrite may.
		w.cfg.Log.Warn("left out", "resource", k.resource, "object", object, "err", o.unread)
		w.failed(inReport, fmt.Errorf("%s %s: %s", k, object, o.unread))
		return nil
	case k.events:
		n, err = ledger.SettleBlocked(ctx, key, w.cfg.Cluster, o.event)
	default:
		d := kyverno.Diff{Cluster: w.cfg.Cluster, AtStart: atStart, Seen: w.cfg.Now().UnixNano()}
		n, err = ledger.Settle(ctx, key, d, o.report)
	}
	if w.cfg.Records != nil && n > 0 {
		w.cfg.Records.WithLabelValues(kyverno.Source, "accepted").Add(float64(n))
	}
	return err
}
