// SPDX-License-Identifier: Apache-2.0

package pipeline

import (
	"errors"
	"log/slog"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"tocsin/correlate"
	"tocsin/event"
	"tocsin/rules"
	"tocsin/store"
	"tocsin/stream"
)

// TestAMessageOfTwoSets: a round of the matchers may bring batches of two Sets together, as when rules changed while nobody matched.
// The first of them may put its Set in force, which lets go of all others: what follows in the message names its own anew.
func TestAMessageOfTwoSets(t *testing.T) {
	t.Parallel()
	one, two := oneRule(t, "one"), oneRule(t, "two")
	sets, err := NewSets(t.Context(), &setsInMemory{}, one, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if err := sets.Enforce(t.Context(), two); err != nil {
		t.Fatal(err)
	}
	o := &owner{OwnerConfig: OwnerConfig{Sets: sets, Metrics: NewCorrelateMetrics(prometheus.NewRegistry())}, turns: newTurns()}
	if err := o.fresh(); err != nil {
		t.Fatal(err)
	}
	var entries []correlate.Entry
	for i, set := range []*rules.Set{one, two} {
		entries = append(entries, correlate.Entry{Matches: &correlate.Matches{
			Set: set.Hash, Generation: uint64(i + 1), Seq: uint64(i + 1),
			Matches: []rules.Match{{Rule: set.Rules[0].Revision, Patterns: 1, Event: rules.EventRef{
				ID: [16]byte{byte(i + 1)}, Time: 1, Arrival: 1, Seq: uint64(i + 1), About: rules.NewAbout("", "", nil),
			}}},
		}})
	}
	if err := o.take(t.Context(), &stream.PartitionMsg{Seq: 1, Data: correlate.EncodeEntries(entries)}); err != nil {
		t.Fatal(err)
	}
	found := make(map[string]int)
	for _, d := range o.engine.Changes().Incidents {
		found[d.Rule.ID]++
	}
	if found["one"] != 1 || found["two"] != 1 {
		t.Errorf("incidents by rule: %v, want one of each", found)
	}
}

// TestAPanicInAPartition: what ends its owner in a panic, wherever it is, stops it and nobody else, and nothing is passed over.
func TestAPanicInAPartition(t *testing.T) {
	t.Parallel()
	o := &owner{lease: store.Lease{Applied: 7}} // without a store to restore it from
	err := o.guarded(t.Context())
	if _, bug := errors.AsType[*event.Panic](err); !bug || !strings.Contains(err.Error(), "partition 0, after message 0: panic: ") || o.lease.Applied != 7 {
		t.Errorf("%v, applied %d", err, o.lease.Applied)
	}
}
