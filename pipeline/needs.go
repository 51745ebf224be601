// SPDX-License-Identifier: Apache-2.0

package pipeline

import (
	"context"

	"tocsin/event"
	"tocsin/incident"
	"tocsin/store"
	"tocsin/stream"
)

// What the loops of this package need of the streams and of the store, each no more than its own part: [stream.Streams] and any
// [store.Store] have all of it, and so has the simulation that looks at what becomes of the loops when those fail (sim_test.go).

// eventsConsumer hands the messages of EVENTS to matchers.
type eventsConsumer interface {
	Next(ctx context.Context, limit int) ([]stream.EventsMsg, error)
}

// matchStreams is where a matcher puts what it found, and how far all matchers are.
type matchStreams interface {
	publisher
	Partitions() int
	PublishMarker(ctx context.Context, stamp stream.Stamp) error
	Quarantine(ctx context.Context, qs []stream.Quarantined) error
	AckFloor(ctx context.Context) (uint64, error)
}

// publisher writes to the partitions' logs.
type publisher interface {
	PublishMatches(ctx context.Context, msgs []stream.MatchMsg) error
}

// ownerStreams are the partitions' logs for those who read them, and the records that evidence names.
type ownerStreams interface {
	Partitions() int
	MatchesIdentity() string
	MatchesLast(ctx context.Context) (uint64, error)
	Partition(ctx context.Context, p int, from uint64) (stream.PartitionReader, error)
	Record(ctx context.Context, seq uint64, index uint32) (rec event.Record, ok bool, err error)
}

// trimStreams are the streams for who removes what nobody needs.
type trimStreams interface {
	MatchesIdentity() string
	MatchesLast(ctx context.Context) (uint64, error)
	LastSeqs(ctx context.Context) ([]uint64, error)
	AckFloor(ctx context.Context) (uint64, error)
	TrimEvents(ctx context.Context, decided stream.Decided) error
	TrimMatches(ctx context.Context, decided stream.Decided) error
}

// places says where incidents are, and how they stand.
type places interface {
	Place(ctx context.Context, id string) (store.Place, error)
	Incident(ctx context.Context, id string) (incident.View, error)
}

// leftovers are places that also know what is open within closed incidents.
type leftovers interface {
	places
	LeftOpen(ctx context.Context) ([]store.LeftOpen, error)
}
