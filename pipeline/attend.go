// SPDX-License-Identifier: Apache-2.0

package pipeline

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// members is the part of the store that Attend needs.
type members interface {
	Attend(ctx context.Context, owner string, ttl time.Duration) error
	Leave(ctx context.Context, owner string) error
}

// Attend runs what claims alerts in a process that owns no partitions. From before the first claim until run has ended the
// process is a live member of those that share the store: what a member claimed is no other's.
func Attend(ctx context.Context, s members, name string, log *slog.Logger, run func(context.Context) error) error {
	beat := func(ctx context.Context) bool {
		once, cancel := context.WithTimeout(ctx, leaseTTL)
		defer cancel()
		err := s.Attend(once, name, leaseTTL)
		if err != nil && ctx.Err() == nil {
			log.Error("membership", "err", err)
		}
		return err == nil
	}
	for !beat(ctx) {
		if !pause(ctx, leaseTTL/5) {
			return nil
		}
	}
	// While run ends it still sends what it has claimed.
	beating, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	var wg sync.WaitGroup
	wg.Go(func() {
		for pause(beating, leaseTTL/5) {
			beat(beating)
		}
	})
	err := run(ctx)
	stop()
	wg.Wait()
	leaving, cancel := context.WithTimeout(context.WithoutCancel(ctx), leaseTTL)
	defer cancel()
	if err := s.Leave(leaving, name); err != nil {
		log.Warn("leave", "err", err)
	}
	return err
}
