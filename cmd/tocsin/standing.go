// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"

	"tocsin/event"
)

// standing is how far a partition has been decided, and whether somebody works on it.
type standing struct {
	seq   uint64
	clock int64
	owned bool
}

// standings returns how far each partition is: as this process knows, else as the store does.
func (n *node) standings(ctx context.Context) (map[int]standing, error) {
	out := make(map[int]standing)
	if n.owners != nil {
		for p, x := range n.owners.Progress() {
			out[p] = standing{x.Seq.Load(), x.Clock.Load(), true}
		}
	}
	if len(out) == n.streams.Partitions() {
		return out, nil
	}
	states, err := n.store.States(ctx)
	if err != nil {
		return nil, err
	}
	for _, s := range states {
		if _, mine := out[s.Partition]; !mine {
			out[s.Partition] = standing{s.Applied, s.Clock, s.Owner != "" && s.Owner != n.name}
		}
	}
	return out, nil
}

// together is how far all partitions are together.
type together struct {
	// owned counts the partitions that somebody works on, lag about the messages of all partitions' logs that are not decided:
	// it is 0 only if there are none, and somebody works on each.
	owned int
	lag   uint64
	// clock is the least of the owned partitions' clocks.
	clock event.Stamp
}

func (n *node) together(ctx context.Context) (together, error) {
	last, err := n.streams.LastSeqs(ctx)
	if err != nil {
		return together{}, err
	}
	at, err := n.standings(ctx)
	if err != nil {
		return together{}, err
	}
	var out together
	for p, seq := range last {
		x := at[p]
		out.lag += x.lag(seq, uint64(len(last)))
		if !x.owned {
			continue
		}
		out.owned++
		if c := event.Stamp(x.clock); out.clock == 0 || c < out.clock {
			out.clock = c
		}
	}
	return out, nil
}

// lag is about how many messages of a partition are not decided, whose last one is given: all partitions share the sequences of one
// stream, and each has its part of them.
func (x standing) lag(last, partitions uint64) uint64 {
	var n uint64
	if last > x.seq {
		n = (last - x.seq + partitions - 1) / partitions
	}
	if !x.owned {
		n = max(n, 1) // whoever waits until all is decided waits for an owner
	}
	return n
}
