// SPDX-License-Identifier: Apache-2.0

package stream

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Names of the streams and subjects.
const (
	eventsStream     = "EVENTS"
	matchesStream    = "MATCHES"
	quarantineStream = "QUARANTINE"
	setsBucket       = "tocsin-sets"

	eventsSubject     = "tocsin.events."
	markerSubject     = "tocsin.events.marker"
	recordsSubject    = "tocsin.events.records"
	edgesSubject      = "tocsin.events.edge." // and the edge's name
	matchesSubject    = "tocsin.matches."
	quarantineSubject = "tocsin.quarantine."

	quarantinedSubject = "tocsin.quarantine.records"
)

// dedupeWindow is how long the server knows a message id: longer than a sender's and our own retries.
const dedupeWindow = 15 * time.Minute

// partitionsKey is where the number of partitions is kept: in the metadata of MATCHES.
const partitionsKey = "tocsin-partitions"

// Retention bounds a stream; the oldest messages go first, of EVENTS and MATCHES those that nobody needs any more.
type Retention struct {
	Age   time.Duration
	Bytes int64
}

// Config says what the streams keep.
type Config struct {
	Events, Matches, Quarantine Retention
	// Partitions is used when MATCHES is created; later the stream's own number counts.
	Partitions int
	// Replicas is how many servers keep each message; 0 leaves a stream as it is, and makes a new one of 1.
	Replicas int
}

// DefaultConfig is what is kept if nothing else is said.
var DefaultConfig = Config{
	Events:     Retention{7 * 24 * time.Hour, 10 << 30},
	Matches:    Retention{7 * 24 * time.Hour, 4 << 30},
	Quarantine: Retention{30 * 24 * time.Hour, 1 << 30},
	Partitions: 16,
}

// Streams are the project's streams on one JetStream.
type Streams struct {
	js         jetstream.JetStream
	events     jetstream.Stream
	matches    jetstream.Stream
	sets       jetstream.KeyValue
	partitions int
	identity   string
	retention  Config
	cache      *batchCache
}

// Open creates the streams, or brings their retention up to date. One whose other settings would break the
// promise is refused with the name of the setting.
func Open(ctx context.Context, nc *nats.Conn, cfg Config) (*Streams, error) {
	js, err := jetstream.New(nc)
	if err != nil {
		return nil, fmt.Errorf("jetstream: %w", err)
	}
	s := &Streams{js: js, cache: newBatchCache(64), retention: cfg}
	meta := map[string]string{partitionsKey: strconv.Itoa(cfg.Partitions)}
	if s.events, err = ensure(ctx, js, eventsStream, eventsSubject+">", trimmed, cfg.Events, cfg.Replicas, nil); err != nil {
		return nil, err
	}
	if s.matches, err = ensure(ctx, js, matchesStream, matchesSubject+">", trimmed, cfg.Matches, cfg.Replicas, meta); err != nil {
		return nil, err
	}
	chosen := s.matches.CachedInfo().Config.Metadata[partitionsKey]
	if s.partitions, err = strconv.Atoi(chosen); err != nil || s.partitions < 1 {
		return nil, fmt.Errorf("stream %s: its metadata %s is %q, it must be the number of partitions", matchesStream, partitionsKey, chosen)
	}
	if _, err = ensure(ctx, js, quarantineStream, quarantineSubject+">", rolling, cfg.Quarantine, cfg.Replicas, nil); err != nil {
		return nil, err
	}
	if s.sets, err = s.bucket(ctx, setsBucket, "rule Sets by hash", false); err != nil {
		return nil, err
	}
	s.identity = s.matches.CachedInfo().Created.UTC().Format(time.RFC3339Nano)
	return s, nil
}

// Conn returns the connection.
func (s *Streams) Conn() *nats.Conn { return s.js.Conn() }

// Ping reports whether JetStream answers.
func (s *Streams) Ping(ctx context.Context) error {
	if _, err := s.js.AccountInfo(ctx); err != nil {
		return fmt.Errorf("NATS: %w", err)
	}
	return nil
}

// Partitions returns the number of partitions.
func (s *Streams) Partitions() int { return s.partitions }

// MatchesIdentity tells one MATCHES stream from another of the same name: its sequences mean
// something within it only (backbone.md, T1).
func (s *Streams) MatchesIdentity() string { return s.identity }

// MatchesLast returns the sequence of the last message of MATCHES.
func (s *Streams) MatchesLast(ctx context.Context) (uint64, error) {
	info, err := s.matches.Info(ctx)
	if err != nil {
		return 0, fmt.Errorf("stream %s: %w", matchesStream, err)
	}
	return info.State.LastSeq, nil
}

// State is where a stream stands.
type State struct {
	First, Last uint64
	Messages    uint64
	Bytes       uint64
}

// EventsState returns where EVENTS stands.
func (s *Streams) EventsState(ctx context.Context) (State, error) {
	info, err := s.events.Info(ctx)
	if err != nil {
		return State{}, fmt.Errorf("stream %s: %w", eventsStream, err)
	}
	st := info.State
	return State{st.FirstSeq, st.LastSeq, st.Msgs, st.Bytes}, nil
}

// LastSeqs returns the sequence of the last message of each partition, 0 for none.
func (s *Streams) LastSeqs(ctx context.Context) ([]uint64, error) {
	out := make([]uint64, s.partitions)
	for p := range out {
		msg, err := s.matches.GetLastMsgForSubject(ctx, matchesSubject+strconv.Itoa(p))
		switch {
		case errors.Is(err, jetstream.ErrMsgNotFound):
		case err != nil:
			return nil, fmt.Errorf("last message of partition %d: %w", p, err)
		default:
			out[p] = msg.Sequence
		}
	}
	return out, nil
}
