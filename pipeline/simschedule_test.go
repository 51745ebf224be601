// SPDX-License-Identifier: Apache-2.0

package pipeline_test

import (
	"cmp"
	"fmt"
	"slices"
	"sync"
	"testing/synctest"
	"time"

	"tocsin/stream"
)

// The simulation runs the real loops of this package, in several processes, on streams and a store that are simulated. All that a
// process does outside of itself is a request, and requests are served one at a time, when nothing else moves: so what
// becomes of each, and when, is a choice, and all the choices of a run are its schedule. Time is that of a synctest bubble.

// request is something that a process asks of the streams or the store.
type request struct {
	label string // names it alike in each run of a schedule
	kind  kind
	from  *process
	to    service
	// do is what the server does with it; alone it does so with no more than one message.
	do func(alone bool) error
	// ready says that there is what it waits for; nil is at once.
	ready func() bool
	// many says that it is of several messages.
	many func() bool
	// partition and seq are of the snapshot that it reads.
	partition int
	seq       uint64

	reply  chan error // nil if nobody waits for an answer
	asleep time.Time  // it is on its way until then
	gone   bool       // nobody waits any more
}

// world is one run: the streams, the store, the processes, and what is on its way between them.
type world struct {
	scenario scenario
	choices  *choices
	streams  *streamServer
	store    *storeServer
	procs    []*process // all that ever were
	inPlace  []*process // the last of each place

	mu      sync.Mutex // of what processes write themselves
	arrived chan struct{}
	fresh   []*request
	pending []*request // in order of arrival
	running int        // goroutines of processes
	// complaint is of a process that was told what must not be.
	complaint error

	timed   []timed
	fed     int // messages of the script
	marked  time.Time
	person  person
	ending  bool
	failure error
}

// timed is something that happens by itself.
type timed struct {
	at   time.Time
	what string
	do   func()
}

func (w *world) after(d time.Duration, what string, do func()) {
	w.timed = append(w.timed, timed{time.Now().Add(d), what, do})
	slices.SortStableFunc(w.timed, func(a, b timed) int { return a.at.Compare(b.at) })
}

func (w *world) fail(format string, args ...any) {
	if w.failure == nil {
		w.failure = fmt.Errorf(format, args...)
	}
}

// add has a request wait to be served.
func (w *world) add(q *request) {
	w.mu.Lock()
	w.fresh = append(w.fresh, q)
	w.mu.Unlock()
	w.wake()
}

func (w *world) wake() {
	select {
	case w.arrived <- struct{}{}:
	default:
	}
}

// patience is how long all may take once nothing goes wrong any more, and how many steps.
const (
	patience   = 2 * time.Minute
	patientFor = 50_000
)

// run serves requests until all events are decided and all processes have ended.
func (w *world) run() {
	idle := time.Now()
	for steps := 0; w.failure == nil; steps++ {
		synctest.Wait()
		w.collect()
		for len(w.timed) > 0 && !w.timed[0].at.After(time.Now()) {
			x := w.timed[0]
			w.timed = w.timed[1:]
			w.choices.note("%s", x.what)
			x.do()
			idle = time.Now()
			synctest.Wait()
			w.collect()
		}
		w.streams.redeliver()
		w.mark()
		switch {
		case w.ending && w.running == 0:
			return
		case !w.ending && w.fed == len(w.scenario.script) && len(w.timed) == 0 && w.settled():
			w.ending = true
			for _, p := range w.procs {
				p.stop()
			}
			continue
		case time.Since(idle) > patience || steps > patientFor:
			w.fail("it does not end: %s", w.state())
			return
		}
		if q := w.next(); q != nil {
			w.serve(q)
			continue
		}
		w.rest()
	}
}

// collect puts what has come in an order that does not depend on how goroutines ran.
func (w *world) collect() {
	w.mu.Lock()
	defer w.mu.Unlock()
	slices.SortStableFunc(w.fresh, func(a, b *request) int { return cmp.Compare(a.label, b.label) })
	w.pending = append(w.pending, w.fresh...)
	w.fresh = nil
	if w.complaint != nil {
		w.fail("%v", w.complaint)
	}
}

// next takes the oldest request that can be served.
func (w *world) next() *request {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.pending = slices.DeleteFunc(w.pending, func(q *request) bool { return q.gone && q.waits() })
	for i, q := range w.pending {
		if q.asleep.After(time.Now()) || q.from.frozen() && !q.sent() || q.waits() && q.from.cutOff(q.to) || q.ready != nil && !q.ready() {
			continue
		}
		w.pending = slices.Delete(w.pending, i, i+1)
		return q
	}
	return nil
}

// sent says that a request is on its way already: its sender can do nothing about it.
func (q *request) sent() bool { return q.reply == nil || !q.asleep.IsZero() }

// mark has the clock go on where the script has ended: a marker that was on its way when its matcher ended is not made up for,
// the next one is.
func (w *world) mark() {
	if w.fed < len(w.scenario.script) || time.Since(w.marked) < markerEvery {
		return
	}
	if !w.marked.IsZero() && !w.streams.matched(w.fed) {
		w.streams.add(stream.EventsMsg{Time: w.streams.events[len(w.streams.events)-1].Time + 1, Marker: true, Batch: stream.Batch{Stamp: w.scenario.sets.Stamp()}})
	}
	w.marked = time.Now()
}

const markerEvery = time.Second

// waits says that it waits for something to come.
func (q *request) waits() bool { return q.kind == aWait || q.kind == aTake }

// rest lets time pass until something comes.
func (w *world) rest() {
	wait := markerEvery
	if len(w.timed) > 0 {
		wait = time.Until(w.timed[0].at)
	}
	for _, q := range w.pending {
		if d := time.Until(q.asleep); d > 0 {
			wait = min(wait, d)
		}
	}
	t := time.NewTimer(wait)
	defer t.Stop()
	select {
	case <-w.arrived:
	case <-t.C:
	}
}

// answer tells who asked.
func (q *request) answer(err error) {
	if q.reply != nil {
		q.reply <- err
	}
}

// postpone has a request come later.
func (w *world) postpone(q *request, d time.Duration) {
	q.asleep = time.Now().Add(d)
	w.mu.Lock()
	w.pending = append(w.pending, q)
	w.mu.Unlock()
}

// later leaves a request on its way that nobody waits for any more.
func (w *world) later(q *request, d time.Duration) {
	w.postpone(&request{label: q.label + " (late)", kind: aLate, from: q.from, do: q.do}, d)
}

// settled says that everything is decided and saved.
func (w *world) settled() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, q := range w.pending {
		if q.kind == aLate || q.kind == anAck || !q.asleep.IsZero() {
			return false
		}
	}
	return w.streams.matched(w.fed) && w.store.decided(w.streams)
}

func (w *world) state() string {
	out := fmt.Sprintf("%d of %d fed, %s, %s, waiting:", w.fed, len(w.scenario.script), w.streams.state(), w.store.state())
	for _, q := range w.pending {
		out += " [" + q.label + "]"
	}
	return out
}
