// SPDX-License-Identifier: Apache-2.0

package stream

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

const (
	// handOverFor is the longest that one message may take, on a slow line or while a cluster chooses a leader. Who waited longer
	// asks the hub how far it is.
	handOverFor = 10 * time.Second
	// placeHeader has the place of the last message of the edge that a message of EVENTS is made of.
	placeHeader = "Tocsin-Edge"
	// stampFor is how long what the hub said of the current Set is used.
	stampFor = time.Second
)

// hub is the far side of an edge: the streams of an installation, with no more rights than it takes to hand records over.
//
// The last message of an edge's subject in EVENTS says how far the edge has got, and a message is taken only after the one that
// the edge believes to be the last. So each gets there once, however often an answer is lost and for however long.
type hub struct {
	js      jetstream.JetStream
	sets    jetstream.KeyValue
	subject string
	last    uint64 // sequence in EVENTS of the edge's last message, 0 if there is none
	stamp   Stamp
	stamped time.Time
}

// openHub looks up what an edge needs. The error is what the hub says, or the setting of EVENTS that would break the promise.
func openHub(ctx context.Context, nc *nats.Conn, edge string) (*hub, place, error) {
	ctx, cancel := context.WithTimeout(ctx, handOverFor)
	defer cancel()
	js, err := jetstream.New(nc)
	if err != nil {
		return nil, place{}, fmt.Errorf("jetstream: %w", err)
	}
	h := &hub{js: js, subject: edgesSubject + edge}
	events, err := js.Stream(ctx, eventsStream)
	if err == nil {
		err = promised(events.CachedInfo().Config, eventsSubject+">")
	}
	if err != nil {
		return nil, place{}, fmt.Errorf("stream %s: %w", eventsStream, err)
	}
	if h.sets, err = js.KeyValue(ctx, setsBucket); err != nil {
		return nil, place{}, fmt.Errorf("bucket %s: %w", setsBucket, err)
	}
	msg, err := events.GetLastMsgForSubject(ctx, h.subject)
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return h, place{}, nil
	}
	if err != nil {
		return nil, place{}, fmt.Errorf("last message of %s: %w", h.subject, err)
	}
	var p place
	if _, err := fmt.Sscan(msg.Header.Get(placeHeader), &p.seq, &p.time); err != nil {
		return nil, place{}, fmt.Errorf("message %d of %s: its header %s is %q: %w", msg.Sequence, eventsStream, placeHeader, msg.Header.Get(placeHeader), err)
	}
	h.last = msg.Sequence
	return h, p, nil
}

// refresh asks which Set is current, if that was not asked a moment ago. The error may be ErrNoSet.
func (h *hub) refresh(ctx context.Context) error {
	if time.Since(h.stamped) < stampFor {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, handOverFor)
	defer cancel()
	now := time.Now()
	stamp, err := currentSet(ctx, h.sets)
	if err != nil {
		return err
	}
	h.stamp, h.stamped = stamp, now
	return nil
}

// send returns when the hub has a load. After an error it may have it or not. Records are stamped as they leave: a Set that was
// current when they were taken need not be so when the hub is back (R1).
func (h *hub) send(ctx context.Context, edge string, l *load) error {
	if err := h.refresh(ctx); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, handOverFor)
	defer cancel()
	if l.subject == quarantinedSubject {
		// Nothing follows from what is there twice: the server's window is enough.
		_, err := h.js.PublishMsg(ctx, message(quarantinedSubject, fmt.Sprint(edge, "/", l.last.seq), l.data), jetstream.WithExpectStream(quarantineStream))
		return handed(quarantineStream, err)
	}
	m := nats.NewMsg(h.subject)
	m.Header.Set(placeHeader, fmt.Sprint(l.last.seq, " ", l.last.time))
	if m.Data = l.data; m.Data == nil {
		m.Data = EncodeBatch(h.stamp, l.records)
	}
	ack, err := h.js.PublishMsg(ctx, m, jetstream.WithExpectStream(eventsStream), jetstream.WithExpectLastSequencePerSubject(h.last))
	if err != nil {
		return handed(eventsStream, err)
	}
	h.last = ack.Sequence
	return nil
}

// handed is the error of a message for a stream of the hub.
func handed(to string, err error) error {
	if err != nil {
		return fmt.Errorf("stream %s: %w", to, err)
	}
	return nil
}
