// SPDX-License-Identifier: Apache-2.0

package stream_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"tocsin/stream"
	"tocsin/stream/natstest"
)

// TestOpenedAtOnce: processes that start at once all have the streams, and agree on the number of partitions, whatever each
// would have chosen.
func TestOpenedAtOnce(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	c := natstest.Start(t, 1, nil)
	const processes = 8
	opened := make([]*stream.Streams, processes)
	var wg sync.WaitGroup
	for i := range opened {
		cfg := small()
		cfg.Partitions = i + 1
		wg.Go(func() {
			var err error
			if opened[i], err = connect(ctx, t, c, cfg); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if t.Failed() {
		return
	}
	again, err := connect(ctx, t, c, small())
	if err != nil {
		t.Fatal(err)
	}
	for i, s := range opened {
		if s.Partitions() != again.Partitions() {
			t.Errorf("process %d has %d partitions, one that comes later %d", i, s.Partitions(), again.Partitions())
		}
	}
}
