// SPDX-License-Identifier: Apache-2.0

package pipeline_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"tocsin/pipeline"
)

// process is one life of a replica: a matcher and an owner of partitions, as `serve` runs them.
type process struct {
	w     *world
	place int
	name  string
	stop  context.CancelFunc

	run     func(func(context.Context) error) // starts a part of it
	running int                               // parts
	// These change only when nothing moves.
	dead   bool
	killed chan struct{} // closed when it is dead
	thawed chan struct{} // closed when it is no longer frozen; nil if it is not
	cut    [2]time.Time  // until when it is cut off from each service
}

var errDead = errors.New("simulated: the process is no more")

// start begins a life in a place.
func (w *world) start(place int) {
	ctx, stop := context.WithCancel(context.Background())
	p := &process{w: w, place: place, name: fmt.Sprintf("%c%d", 'a'+place, len(w.procs)+1), stop: stop, killed: make(chan struct{})}
	w.procs, w.inPlace[place] = append(w.procs, p), p
	s, log := w.scenario, slog.New(slog.DiscardHandler)
	c := client{p, theStreams}
	owners := &pipeline.Owners{Name: p.name, OwnerConfig: pipeline.OwnerConfig{
		Store: p.store(), Streams: c, Sets: s.sets, Parser: s.parser, Lateness: s.lateness,
		Alerts: tell, Metrics: s.correlated, Log: log, SnapshotEvery: time.Second, OffsetEvery: 300 * time.Millisecond,
	}}
	matcher := pipeline.NewMatcher(pipeline.MatcherConfig{
		Streams: c, Consumer: c, Parser: s.parser, Sets: s.sets, Metrics: s.matched, Seen: pipeline.NewSources(), Log: log,
	})
	p.run = func(part func(context.Context) error) {
		p.running++
		w.running++
		go func() {
			_ = part(ctx)
			w.mu.Lock()
			p.running--
			w.running--
			w.mu.Unlock()
			w.wake()
		}()
	}
	p.run(owners.Run)
	p.run(matcher.Run)
	p.run(matcher.RunTicks)
	if s.trims {
		p.run((&pipeline.Trimmer{Streams: c, Store: p.store(), Log: log}).Run)
	}
}

// holds reports whether it can say of a message that it has it.
func (p *process) holds() bool {
	return !p.dead && !p.frozen() && !p.cutOff(theStreams) && p.running > 0
}

// service is what processes stand on.
type service int

const (
	theStreams service = iota
	theStore
)

// cutOff reports whether nothing comes from the process to a service, or back.
func (p *process) cutOff(from service) bool { return p.cut[from].After(time.Now()) }

// cutFrom cuts it off.
func (p *process) cutFrom(from service, d time.Duration) {
	p.cut[from] = time.Now().Add(d)
	p.w.after(d, p.name+" is cut off no more", func() {})
}

// again has another life begin where this one has ended, or will.
func (p *process) again() {
	p.w.after(startAgain, p.name+" starts again", func() {
		if p.w.inPlace[p.place] == p {
			p.w.start(p.place)
		}
	})
}

// crash ends a process at once. What it has in memory is gone, what it has sent is on its way.
func (p *process) crash() {
	if p.dead {
		return
	}
	p.dead = true
	close(p.killed)
	p.stop()
	p.w.mu.Lock()
	p.w.pending = slices.DeleteFunc(p.w.pending, func(q *request) bool { return q.from == p && !q.sent() })
	p.w.mu.Unlock()
	p.again()
}

// freeze stops a process: its timers go on, and it does nothing.
func (p *process) freeze(d time.Duration) {
	if p.dead || p.frozen() {
		return
	}
	thawed := make(chan struct{})
	p.thawed = thawed
	p.w.after(d, p.name+" is frozen no more", func() {
		p.thawed = nil
		close(thawed)
	})
}

func (p *process) frozen() bool { return p.thawed != nil }

// alive holds up a process that is frozen, and says that one is dead.
func (p *process) alive() error {
	p.w.mu.Lock() // what is read here was written when nothing moved
	dead, thawed := p.dead, p.thawed
	p.w.mu.Unlock()
	if thawed != nil {
		select {
		case <-thawed:
		case <-p.killed:
			dead = true
		}
	}
	if dead {
		return errDead
	}
	return nil
}

// ask sends a request and waits for the answer.
func (p *process) ask(ctx context.Context, q *request) error {
	if err := p.alive(); err != nil {
		return err
	}
	q.label, q.from, q.reply = p.name+" "+q.label, p, make(chan error, 1)
	p.w.add(q)
	var err error
	select {
	case err = <-q.reply:
	case <-ctx.Done():
		p.w.mu.Lock()
		q.gone = true
		p.w.mu.Unlock()
		err = ctx.Err()
		select {
		case err = <-q.reply: // at the same time
		default:
		}
	case <-p.killed:
		err = errDead
	}
	if dead := p.alive(); dead != nil {
		return dead
	}
	return err
}

// send sends a request that nobody answers.
func (p *process) send(q *request) error {
	if err := p.alive(); err != nil {
		return err
	}
	q.label, q.from = p.name+" "+q.label, p
	p.w.add(q)
	return nil
}
