// SPDX-License-Identifier: Apache-2.0

package stream

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
)

const (
	// A hub that is away is asked again after so long, twice as long each time up to the greatest, less a part by chance: all edges
	// miss it at once.
	askAgainFirst = 100 * time.Millisecond
	askAgainMost  = 2 * time.Second
	// idleFor is how long nothing comes before the hub is asked whether it is there.
	idleFor = 2 * time.Second
	// forgetEvery is how long the edge keeps what the hub has, when there is more to send: to remove it costs the disk as
	// much as to take something.
	forgetEvery = time.Second
)

// Forwarder hands what an [Edge] keeps to its hub: in order, one message after the other, each of as many records as waited. What is
// handed over is removed. Wherever it ends, the next one goes on there: the hub knows how far it got.
type Forwarder struct {
	Edge *Edge
	Hub  ServerConfig
	Log  *slog.Logger
	// Forwarded is called when the hub has a message that the edge has still. Nil but in tests.
	Forwarded func()

	records atomic.Int64
	conn    atomic.Pointer[nats.Conn]
	giveUp  atomic.Pointer[context.CancelCauseFunc] // ends what waits for an answer that will not come

	mu   sync.Mutex
	away error
}

// errNotAsked is how a Forwarder begins.
var errNotAsked = errors.New("the hub was not reached yet")

// NewForwarder returns a Forwarder that has not reached the hub yet.
func NewForwarder(e *Edge, to ServerConfig, log *slog.Logger) *Forwarder {
	return &Forwarder{Edge: e, Hub: to, Log: log, away: errNotAsked}
}

// Records is how many records the hub has taken from this process.
func (f *Forwarder) Records() int64 { return f.records.Load() }

// Away returns why the hub takes nothing, nil if it does.
func (f *Forwarder) Away() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if nc := f.conn.Load(); f.away == nil && !nc.IsConnected() {
		return nats.ErrDisconnected
	}
	return f.away
}

// Run forwards until ctx ends. Nothing that a hub does ends it.
func (f *Forwarder) Run(ctx context.Context) error {
	defer func() {
		if nc := f.conn.Load(); nc != nil {
			nc.Close()
		}
	}()
	for wait := askAgainFirst; ; wait = min(2*wait, askAgainMost) {
		err := f.session(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if err == nil || f.note(err) {
			wait = askAgainFirst
		}
		t := time.NewTimer(wait/2 + rand.N(wait/2))
		select {
		case <-ctx.Done():
		case <-t.C:
		}
		t.Stop()
	}
}

// note keeps whether the hub takes something, and says so when that changes. It reports whether it did before.
func (f *Forwarder) note(err error) (took bool) {
	f.mu.Lock()
	was := f.away
	f.away = err
	f.mu.Unlock()
	_, refused := errors.AsType[*RefusedError](err)
	_, known := errors.AsType[*RefusedError](was)
	switch {
	case err == nil && was != nil:
		f.Log.Info("the hub takes records")
	case refused && !known:
		f.Log.Error("the hub is asked for what it does not permit: records are kept here", "err", err)
	case err != nil && !refused && (was == nil || errors.Is(was, errNotAsked)):
		f.Log.Warn("the hub takes nothing: records are kept here until it does", "err", err)
	}
	return was == nil
}

// session forwards until something goes wrong, or the edge has another name. What is in doubt then the next session finds out.
func (f *Forwarder) session(ctx context.Context) (err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	f.giveUp.Store(&cancel)
	defer func() {
		if why := context.Cause(ctx); why != nil {
			err = why
		}
	}()
	nc, err := f.connect()
	if err != nil {
		return err
	}
	h, at, err := openHub(ctx, nc, f.Edge.name)
	if err == nil {
		err = h.refresh(ctx)
	}
	if err != nil {
		return err
	}
	if at != (place{}) {
		known, err := f.Edge.knows(ctx, at)
		if err != nil {
			return err
		}
		if !known {
			return f.startOver(ctx, at)
		}
	}
	return f.forward(ctx, h, at.seq)
}

// startOver is for a data directory that was copied, or put back from a backup: the hub has what is not here. Without another name it would
// be given for sent what comes now.
func (f *Forwarder) startOver(ctx context.Context, at place) error {
	f.Log.Error("the hub has records of this edge that it never had: its data directory is a copy, or from a backup. What waits is sent under another name, some of it perhaps again",
		"edge", f.Edge.name, "sequence", at.seq)
	return f.Edge.rename(ctx)
}

// forward hands over what follows a sequence of the edge, and what comes.
func (f *Forwarder) forward(ctx context.Context, h *hub, done uint64) error {
	forgotten, last := uint64(0), time.Now()
	for {
		l, err := f.Edge.next(ctx, done)
		if err != nil {
			return err
		}
		if done > forgotten && (l == nil || time.Since(last) > forgetEvery) {
			if err := f.Edge.forget(ctx, done); err != nil {
				return err
			}
			forgotten, last = done, time.Now()
		}
		if l == nil {
			f.note(nil)
			if err := f.idle(ctx, h); err != nil {
				return err
			}
			continue
		}
		if err := h.send(ctx, f.Edge.name, l); err != nil {
			return err
		}
		f.note(nil)
		f.records.Add(int64(len(l.records)))
		if f.Forwarded != nil {
			f.Forwarded()
		}
		done = l.last.seq
	}
}

// idle returns when something has come, or after a while in which nothing did and the hub said that it is there.
func (f *Forwarder) idle(ctx context.Context, h *hub) error {
	t := time.NewTimer(idleFor)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-f.Edge.came:
		return nil
	case <-t.C:
		return h.refresh(ctx)
	}
}

// connect returns the connection to the hub, if there is one now. Nothing is kept in it for later: what it sent when it is back
// would be stamped with a Set of before.
func (f *Forwarder) connect() (*nats.Conn, error) {
	if nc := f.conn.Load(); nc != nil && !nc.IsClosed() {
		if !nc.IsConnected() {
			return nil, nats.ErrDisconnected
		}
		return nc, nil
	}
	giveUp := func(why error) { (*f.giveUp.Load())(why) }
	to := f.Hub
	to.Refused = func(r *RefusedError) { giveUp(r) }
	nc, err := Connect(to, nats.ReconnectBufSize(-1), nats.DisconnectErrHandler(func(*nats.Conn, error) { giveUp(nats.ErrDisconnected) }))
	if err != nil {
		return nil, err
	}
	f.conn.Store(nc)
	return nc, nil
}

// Flush returns when nothing waits at the edge, or the hub takes nothing, or ctx ends. It is for a process that ends: what is
// left is on its disk.
func (f *Forwarder) Flush(ctx context.Context) error {
	t := time.NewTicker(10 * time.Millisecond)
	defer t.Stop()
	for {
		st, err := f.Edge.State(ctx)
		if err == nil && st.Messages == 0 {
			return nil
		}
		if away := f.Away(); away != nil || err != nil {
			return fmt.Errorf("%d messages wait: %w", st.Messages, errors.Join(away, err))
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%d messages wait: %w", st.Messages, ctx.Err())
		case <-t.C:
		}
	}
}
