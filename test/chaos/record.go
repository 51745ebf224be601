// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"tocsin/correlate"
	"tocsin/event"
	"tocsin/rules"
	"tocsin/stream"
)

// record is what the streams say in the end: what decides which incidents there are.
type record struct {
	events   []arrived // as they are on the log
	stamps   map[uint64]string
	sets     map[string]*rules.Set
	closings []correlate.Close // of each partition as they are on its log
}

// arrived is a record on the log: when it came, and by which Set it is matched.
type arrived struct {
	event.Record
	at  int64
	set string
}

// record reads the streams when all of tocsin has ended.
func (w *world) record(ctx context.Context) (*record, error) {
	nc, err := w.connect()
	if err != nil {
		return nil, err
	}
	defer nc.close()
	cfg := stream.DefaultConfig
	if !w.alone { // as the replicas have it
		cfg.Replicas, cfg.Events.Bytes, cfg.Matches.Bytes, cfg.Quarantine.Bytes = 3, 200_000_000, 200_000_000, 100_000_000
	}
	streams, err := stream.Open(ctx, nc.Conn, cfg)
	if err != nil {
		return nil, err
	}
	rec := &record{stamps: make(map[uint64]string), sets: make(map[string]*rules.Set)}
	if err := rec.readEvents(ctx, nc.Conn); err != nil {
		return nil, err
	}
	for _, hash := range rec.stamps {
		data, err := streams.Set(ctx, hash)
		if err != nil {
			return nil, err
		}
		if rec.sets[hash], _, err = rules.Decode(hash, data); err != nil {
			return nil, err
		}
	}
	return rec, rec.readClosings(ctx, streams)
}

// connection is one to the NATS of a run, with what has to be stopped after it.
type connection struct {
	*nats.Conn
	close func()
}

// connect connects to the NATS servers, or starts the one of a tocsin that is alone and has ended.
func (w *world) connect() (*connection, error) {
	if !w.alone {
		nc, _, err := w.jetstream()
		if err != nil {
			return nil, err
		}
		return &connection{nc, nc.Close}, nil
	}
	e, err := stream.StartEmbedded(stream.EmbeddedConfig{Dir: w.replicas[0].disk})
	if err != nil {
		return nil, err
	}
	nc, err := e.Conn()
	if err != nil {
		e.Close()
		return nil, err
	}
	return &connection{nc, func() { nc.Close(); e.Close() }}, nil
}

// readEvents reads EVENTS from its beginning to its end.
func (rec *record) readEvents(ctx context.Context, nc *nats.Conn) error {
	js, err := jetstream.New(nc)
	if err != nil {
		return err
	}
	s, err := js.Stream(ctx, "EVENTS")
	if err != nil {
		return err
	}
	last := s.CachedInfo().State.LastSeq
	cons, err := s.OrderedConsumer(ctx, jetstream.OrderedConsumerConfig{})
	if err != nil {
		return err
	}
	msgs, err := cons.Messages()
	if err != nil {
		return err
	}
	defer msgs.Stop()
	places := make(map[string]bool)
	for seq := uint64(0); seq < last; {
		msg, err := msgs.Next(jetstream.NextContext(ctx))
		if err != nil {
			return fmt.Errorf("EVENTS after %d of %d: %w", seq, last, err)
		}
		if err := twice(places, msg); err != nil {
			return err
		}
		meta, err := msg.Metadata()
		if err != nil {
			return err
		}
		seq = meta.Sequence.Stream
		batch, err := stream.DecodeBatch(msg.Data())
		if err != nil {
			return fmt.Errorf("message %d of EVENTS: %w", seq, err)
		}
		rec.stamps[batch.Generation] = batch.Set
		for _, r := range batch.Records {
			rec.events = append(rec.events, arrived{r, meta.Timestamp.UnixNano(), batch.Set})
		}
	}
	return nil
}

// readClosings reads MATCHES for what people closed.
func (rec *record) readClosings(ctx context.Context, streams *stream.Streams) error {
	lasts, err := streams.LastSeqs(ctx)
	if err != nil {
		return err
	}
	for p, last := range lasts {
		reader, err := streams.Partition(ctx, p, 1)
		if err != nil {
			return err
		}
		for seq := uint64(0); seq < last; {
			msgs, err := reader.Next(ctx, 1000)
			if err != nil {
				return fmt.Errorf("partition %d after %d of %d: %w", p, seq, last, err)
			}
			for _, msg := range msgs {
				seq = msg.Seq
				entries, err := correlate.DecodeEntries(msg.Data, msg.Time)
				if err != nil {
					return fmt.Errorf("partition %d, message %d: %w", p, seq, err)
				}
				for _, e := range entries {
					if e.Close != nil {
						rec.closings = append(rec.closings, *e.Close)
					}
				}
			}
		}
		reader.Close()
	}
	return nil
}

// generations returns the Sets that were in force, one after the other.
func (rec *record) generations() []*rules.Set {
	var out []*rules.Set
	for _, g := range slices.Sorted(maps.Keys(rec.stamps)) {
		out = append(out, rec.sets[rec.stamps[g]])
	}
	return out
}

// has returns the records that are matched by a rule of some revision.
func (rec *record) has(revision string) []arrived {
	var out []arrived
	for _, e := range rec.events {
		if rec.sets[e.set].ByRevision(revision) != nil {
			out = append(out, e)
		}
	}
	return out
}
