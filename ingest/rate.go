// SPDX-License-Identifier: Apache-2.0

package ingest

import (
	"math"
	"sync"
	"time"
)

// bucket bounds the records that one token may send a second (protocols.md 3.2: 429 for a per-token rate). A request is taken
// whole while anything is left, so that a batch larger than the rate passes too; what it takes too much has to be paid
// back before the next.
type bucket struct {
	rate float64 // records a second, also what an idle token may send at once

	mu   sync.Mutex
	left float64
	at   time.Time
}

func newBucket(rate int, now time.Time) *bucket {
	return &bucket{rate: float64(rate), left: float64(rate), at: now}
}

// wait reports how long a sender has to wait at a time, 0 if it may send.
func (b *bucket) wait(now time.Time) time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.fill(now)
	if b.left > 0 {
		return 0
	}
	return time.Duration(math.Ceil((1-b.left)/b.rate)) * time.Second
}

// take notes that so many records were sent.
func (b *bucket) take(now time.Time, records int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.fill(now)
	b.left -= float64(records)
}

func (b *bucket) fill(now time.Time) {
	if passed := now.Sub(b.at).Seconds(); passed > 0 {
		b.left = min(b.rate, b.left+passed*b.rate)
		b.at = now
	}
}
