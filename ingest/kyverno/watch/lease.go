// SPDX-License-Identifier: Apache-2.0

package watch

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"sync/atomic"
	"time"

	"github.com/nats-io/nuid"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/leaderelection"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
)

// Lease is how replicas agree on the one that watches (protocols.md 2.6).
type Lease struct {
	// Namespace is that of the Lease; "" is the pod's own. Name is tocsin-kyverno if it is "".
	Namespace, Name string
	// Identity tells replicas apart; "" is the host's name and something random.
	Identity string
	// Duration is how long a leader that is silent stays one; Renew is when a leader that cannot renew gives up, Retry
	// how often everybody tries. 0 is 15 s, 10 s, 2 s.
	Duration, Renew, Retry time.Duration
}

func (l Lease) withDefaults() (Lease, error) {
	if l.Namespace == "" {
		var err error
		if l.Namespace, err = ownNamespace(); err != nil {
			return l, err
		}
	}
	if l.Identity == "" {
		host, err := os.Hostname()
		if err != nil {
			return l, fmt.Errorf("identity of the replica: %w", err)
		}
		l.Identity = host + "_" + nuid.Next()
	}
	l.Name = cmp.Or(l.Name, "tocsin-kyverno")
	l.Duration, l.Renew, l.Retry = cmp.Or(l.Duration, 15*time.Second), cmp.Or(l.Renew, 10*time.Second), cmp.Or(l.Retry, 2*time.Second)
	return l, nil
}

// lead runs while this replica holds the Lease, and again when it has lost and won it. What runs is told whether the Lease
// is surely held.
func (w *Watcher) lead(ctx context.Context, run func(ctx context.Context, held func() error)) error {
	l, err := w.cfg.Lease.withDefaults()
	if err != nil {
		return err
	}
	for ctx.Err() == nil {
		var began atomic.Bool
		ended := make(chan struct{})
		lock := &hold{
			renew: l.Renew, now: w.cfg.Now,
			failed: func(err error) { w.failed(inLease, fmt.Errorf("lease %s/%s: %w", l.Namespace, l.Name, err)) },
			Interface: &resourcelock.LeaseLock{
				LeaseMeta: metav1.ObjectMeta{Namespace: l.Namespace, Name: l.Name}, Client: w.leases,
				LockConfig: resourcelock.ResourceLockConfig{Identity: l.Identity},
			},
		}
		elector, err := leaderelection.NewLeaderElector(leaderelection.LeaderElectionConfig{
			Name: l.Name, LeaseDuration: l.Duration, RenewDeadline: l.Renew, RetryPeriod: l.Retry, ReleaseOnCancel: true,
			Lock: lock,
			Callbacks: leaderelection.LeaderCallbacks{
				OnStartedLeading: func(ctx context.Context) {
					began.Store(true)
					defer close(ended)
					w.cfg.Log.Info("this replica watches", "lease", l.Namespace+"/"+l.Name, "identity", l.Identity)
					run(ctx, lock.held)
				},
				OnStoppedLeading: func() {},
			},
		})
		if err != nil {
			return fmt.Errorf("lease %s/%s: %w", l.Namespace, l.Name, err)
		}
		elector.Run(ctx)
		// What begins only now finds its context at an end, and does nothing.
		if began.Load() {
			<-ended
			w.cfg.Log.Info("this replica no longer watches", "lease", l.Namespace+"/"+l.Name, "identity", l.Identity)
		}
	}
	return nil
}
