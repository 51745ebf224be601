// SPDX-License-Identifier: Apache-2.0

package watch_test

import (
	"context"
	"log/slog"
	"sync"
	"testing"
	"time"

	"tocsin/ingest/kyverno"
	"tocsin/ingest/kyverno/watch"
)

// frozen is the Store of a replica that stands still before its first look at what is remembered of a key.
type frozen struct {
	kyverno.Store
	key         string
	once        sync.Once
	still, thaw chan struct{}
}

func (f *frozen) Get(ctx context.Context, key string) ([]byte, uint64, error) {
	if key == f.key {
		f.once.Do(func() {
			close(f.still)
			<-f.thaw
		})
	}
	return f.Store.Get(ctx, key)
}

// TestFrozenReplica: a replica that was frozen with a report in its memory, while another told what became of it, tells
// nothing of that report when it wakes; it lists anew, and tells what comes then.
func TestFrozenReplica(t *testing.T) {
	t.Parallel()
	for name, became := range map[string]struct {
		answer string
		told   []string
	}{
		"mended": {results("pass"), []string{"violation", "resolved"}},
		"gone":   {"", []string{"violation", "removed"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a, access := newAPI(t)
			n := newNode(t, access)
			a.serve(results("fail"))
			ice := &frozen{Store: n.kv, key: "prod/polr/shop/u-1", still: make(chan struct{}), thaw: make(chan struct{})}
			settled := make(chan string, 100)
			w, err := watch.New(watch.Config{
				Access: access, Store: ice, Commit: n.commit, Cluster: "prod", Log: slog.New(slog.DiscardHandler),
				Relist: time.Hour, Discover: 10 * time.Millisecond,
				Settled: func(k string) { settled <- k },
			})
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			done := make(chan error, 1)
			go func() { done <- w.Run(ctx) }()
			await := func() {
				t.Helper()
				for {
					select {
					case k := <-settled:
						if k == "polr" {
							return
						}
					case <-ctx.Done():
						t.Fatal("the watcher does not come to it")
					}
				}
			}
			<-ice.still

			n.run(nil, 2, "polr")
			if became.answer == "" {
				a.set(list, `{"apiVersion":"wgpolicyk8s.io/v1alpha2","kind":"PolicyReportList","metadata":{"resourceVersion":"8"},"items":[]}`)
			} else {
				a.serve(became.answer)
			}
			n.run(nil, 2, "polr")
			n.want(became.told...)
			close(ice.thaw)
			await()
			n.want(became.told...)
			cancel()
			if err := <-done; err != nil {
				t.Error(err)
			}
			a.serve(results("warn"))
			n.run(nil, 2, "polr")
			n.want(append(became.told, "violation")...)
		})
	}
}
