// SPDX-License-Identifier: Apache-2.0

package stream

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nuid"

	"tocsin/event"
)

// The stream of an edge has what the hub has not yet, under the hub's own subjects.
const (
	edgeStream  = "EDGE"
	edgeSubject = "tocsin.>"
	// edgeKey is where an edge's name is kept: in the metadata of its stream.
	edgeKey = "tocsin-edge"
)

// Edge keeps what a process takes until its hub has it: in a stream of its own on the embedded server, up to a bound of bytes. Who
// commits to it has the same promise as of [Streams]: what returned is on disk, fsynced.
type Edge struct {
	js   jetstream.JetStream
	st   jetstream.Stream
	name string // what the hub knows it by; the Forwarder's alone to read and change
	came chan struct{}
	full atomic.Bool
}

// OpenEdge opens the stream on the embedded server's connection, or makes it. bytes bounds it: what does not fit is refused with
// ErrUnavailable. The error names a bound that the disk has no room for.
func OpenEdge(ctx context.Context, nc *nats.Conn, bytes int64) (*Edge, error) {
	js, err := jetstream.New(nc)
	if err != nil {
		return nil, fmt.Errorf("jetstream: %w", err)
	}
	e := &Edge{js: js, came: make(chan struct{}, 1)}
	if e.st, err = ensure(ctx, js, edgeStream, edgeSubject, trimmed, Retention{Bytes: bytes}, 0, map[string]string{edgeKey: nuid.Next()}); err != nil {
		return nil, err
	}
	if e.name = e.st.CachedInfo().Config.Metadata[edgeKey]; e.name == "" {
		return nil, fmt.Errorf("stream %s: its metadata has no %s: it is none of ours", edgeStream, edgeKey)
	}
	return e, nil
}

func (e *Edge) publish(ctx context.Context, subject, id string, data []byte) error {
	err := publish(ctx, e.js, subject, id, data)
	if api, ok := errors.AsType[*jetstream.APIError](err); ok && api.ErrorCode == maxBytesExceeded {
		e.full.Store(true)
	}
	if err == nil {
		e.full.Store(false)
		select {
		case e.came <- struct{}{}:
		default: // it was said already that something came
		}
	}
	return err
}

// Quarantine returns when all entries are on disk. An entry is cut at the largest message that fits.
func (e *Edge) Quarantine(ctx context.Context, qs []Quarantined) error { return quarantine(ctx, e, qs) }

// Full reports whether the last message was refused since the bound is reached, and nothing has left since.
func (e *Edge) Full() bool { return e.full.Load() }

// EdgeState is what waits at an edge for the hub.
type EdgeState struct {
	Messages uint64
	// Bytes is what the messages take on disk, Bound what they may.
	Bytes, Bound uint64
	// Oldest is when the first of them came; zero if none waits.
	Oldest time.Time
}

// State returns what waits. What the hub has had for less than a second may be counted still.
func (e *Edge) State(ctx context.Context) (EdgeState, error) {
	info, err := e.st.Info(ctx)
	if err != nil {
		return EdgeState{}, fmt.Errorf("stream %s: %w", edgeStream, err)
	}
	st := EdgeState{Messages: info.State.Msgs, Bytes: info.State.Bytes, Bound: uint64(info.Config.MaxBytes)}
	if st.Messages > 0 {
		st.Oldest = info.State.FirstTime
	}
	return st, nil
}

// place is where a message is in an edge's stream. Its time tells it from another that had its sequence before the directory was
// put back from a backup.
type place struct {
	seq  uint64
	time int64 // the stream's, Unix nanoseconds
}

// load is what goes to the hub as one message.
type load struct {
	subject string
	last    place // of the messages that it is made of
	records []event.Record
	bytes   int
	data    []byte // of what is no batch of Records: as it came
}

// next returns what goes to the hub after a place: as many messages as have room in one, nil if none waits.
func (e *Edge) next(ctx context.Context, after uint64) (*load, error) {
	var out *load
	for {
		msg, err := e.st.GetMsg(ctx, after+1, jetstream.WithGetMsgSubject(edgeSubject))
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			return out, nil
		}
		if err != nil {
			return nil, fmt.Errorf("stream %s: %w", edgeStream, err)
		}
		l := loadOf(msg)
		switch {
		case out == nil:
			out = l
		case !out.add(l):
			return out, nil
		}
		after = out.last.seq
	}
}

// loadOf reads a message. One that is damaged goes to the hub as it is, where quarantine says so.
func loadOf(msg *jetstream.RawStreamMsg) *load {
	l := &load{subject: msg.Subject, last: place{msg.Sequence, msg.Time.UnixNano()}}
	batch, err := DecodeBatch(msg.Data)
	if msg.Subject != recordsSubject || err != nil {
		l.data = msg.Data
		return l
	}
	for i := range batch.Records {
		r := &batch.Records[i]
		r.Taken = l.last.time
		l.bytes += len(r.Raw)
	}
	l.records = batch.Records
	return l
}

// add reports whether l could be added to m.
func (m *load) add(l *load) bool {
	if m.data != nil || l.data != nil || len(m.records)+len(l.records) > maxBatchRecords || m.bytes+l.bytes > maxBatchBytes {
		return false
	}
	m.records, m.bytes, m.last = append(m.records, l.records...), m.bytes+l.bytes, l.last
	return true
}

// knows reports whether a place is, or was, of this stream.
func (e *Edge) knows(ctx context.Context, p place) (bool, error) {
	info, err := e.st.Info(ctx)
	if err != nil {
		return false, fmt.Errorf("stream %s: %w", edgeStream, err)
	}
	if p.seq > info.State.LastSeq || p.seq < info.State.FirstSeq {
		return p.seq < info.State.FirstSeq, nil
	}
	msg, err := e.st.GetMsg(ctx, p.seq)
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return true, nil // its bytes are damaged, and it is of no use to anybody
	}
	if err != nil {
		return false, fmt.Errorf("stream %s: %w", edgeStream, err)
	}
	return msg.Time.UnixNano() == p.time, nil
}

// rename gives the edge another name: what the hub knows of the old one means nothing here.
func (e *Edge) rename(ctx context.Context) error {
	c := e.st.CachedInfo().Config
	c.Metadata = maps.Clone(c.Metadata)
	c.Metadata[edgeKey] = nuid.Next()
	if _, err := e.js.UpdateStream(ctx, c); err != nil {
		return fmt.Errorf("stream %s: %w", edgeStream, err)
	}
	e.name = c.Metadata[edgeKey]
	return nil
}

// forget removes the messages up to a sequence: the hub has them.
func (e *Edge) forget(ctx context.Context, upTo uint64) error {
	if err := e.st.Purge(ctx, jetstream.WithPurgeSequence(upTo+1)); err != nil {
		return fmt.Errorf("stream %s: %w", edgeStream, err)
	}
	e.full.Store(false)
	return nil
}
