// SPDX-License-Identifier: Apache-2.0

package pipeline_test

import (
	"errors"
	"testing/synctest"
	"time"

	"tocsin/stream"
)

// kind is what can become of a request.
type kind int

const (
	aRead    kind = iota // asks, and changes nothing
	aRestore             // reads a snapshot
	aWrite               // changes something, and is answered
	aGrant               // may lease partitions
	aBeat                // is repeated all the time: what becomes of one is not looked at
	aWait                // is answered when something has come to a partition
	aTake                // is answered when something has come to EVENTS
	anAck                // is sent and forgotten
	aLate                // is of nobody any more
)

// What can go wrong with a request.
const (
	goesWell    = "goes well"
	fails       = "fails"
	unanswered  = "is done, and the answer is lost"
	partly      = "is done in part, and fails"
	late        = "is answered with an error, and done later"
	postponed   = "is overtaken by others"
	crashBefore = "is never sent: its sender dies"
	crashAfter  = "is done, and its sender dies"
	crashLate   = "is on its way when its sender dies"
	stopAfter   = "is done, and its sender is told to end"
	freezeFirst = "waits: its sender is frozen"
	freezeAfter = "is done, and its sender is frozen"
	one         = "is given one message of several"
	gap         = "is told that something is missing"
	lostAck     = "is lost"
	torn        = "finds the snapshot damaged"
	moreFirst   = "comes after the next events"
	madeAnew    = "finds the consumer made anew"
	cutOff      = "fails, as all does for a while that its sender asks of the same"
)

var faultsOf = map[kind][]string{
	aRead:    {fails, freezeFirst, freezeAfter, crashAfter, postponed, stopAfter},
	aRestore: {fails, freezeFirst, freezeAfter, crashAfter, postponed, stopAfter},
	aWrite:   {unanswered, crashAfter, crashBefore, freezeFirst, freezeAfter, crashLate, late, fails, postponed, stopAfter, cutOff},
	aGrant:   {unanswered, crashAfter, freezeAfter, crashLate, late, stopAfter, cutOff},
	aWait:    {freezeAfter, crashAfter, stopAfter, gap, cutOff},
	aTake:    {freezeAfter, crashAfter, stopAfter, madeAnew, cutOff},
	anAck:    {lostAck, late, postponed, crashBefore},
}

// How long things last: a process that is frozen or cut off loses its leases and what it holds of EVENTS, and so long are
// messages late.
const (
	frozenFor  = 5 * time.Second
	lateBy     = 4 * time.Second
	overtaken  = 30 * time.Millisecond
	startAgain = time.Second
)

var errAway = errors.New("simulated: no answer")

// faults lists what can become of a request; the first is that it goes well.
func (w *world) faults(q *request) []string {
	out := append([]string{goesWell}, faultsOf[q.kind]...)
	if q.many != nil && q.many() {
		if q.kind == aWrite {
			out = append(out, partly)
		} else {
			out = append(out, one)
		}
	}
	// Where the log is trimmed, what both snapshots have is not damaged: windows are lost then; it is documented.
	if trims := w.scenario.trims; q.kind == aRestore && w.scenario.torn && (!trims || q.seq != w.store.parts[q.partition].Before) && w.store.tear(q.partition, q.seq, trims, false) {
		out = append(out, torn)
	}
	if q.kind == aTake && w.fed < len(w.scenario.script) {
		out = append(out, moreFirst)
	}
	return out
}

// serve does what is chosen with a request.
func (w *world) serve(q *request) {
	fault := goesWell
	if q.kind != aLate && q.from.cutOff(q.to) {
		w.choices.note("%s, and is cut off", q.label)
		q.answer(errAway)
		return
	}
	if !w.ending && len(faultsOf[q.kind]) > 0 && (q.kind != aGrant || w.store.wouldGrant(q.from.name, w.streams.partitions)) {
		fault = w.choices.next(q.label, w.faults(q))
	} else {
		w.choices.note("%s", q.label)
	}
	p := q.from
	switch fault {
	case goesWell:
		q.answer(q.do(false))
	case fails:
		q.answer(errAway)
	case unanswered:
		_ = q.do(false)
		q.answer(errAway)
	case partly:
		_ = q.do(true)
		q.answer(errAway)
	case late:
		w.later(q, lateBy)
		q.answer(errAway)
	case postponed:
		w.postpone(q, overtaken)
	case crashBefore:
		p.crash()
		q.answer(errDead)
	case crashAfter:
		_ = q.do(false)
		p.crash()
		q.answer(errDead)
	case crashLate:
		w.later(q, lateBy)
		p.crash()
		q.answer(errDead)
	case stopAfter:
		q.answer(q.do(false))
		synctest.Wait()
		p.stop()
		p.again()
	case freezeFirst:
		p.freeze(frozenFor)
		w.postpone(q, frozenFor)
	case freezeAfter:
		err := q.do(false)
		p.freeze(frozenFor)
		q.answer(err)
	case one:
		q.answer(q.do(true))
	case gap:
		q.answer(stream.ErrGap)
	case cutOff:
		p.cutFrom(q.to, frozenFor)
		q.answer(errAway)
	case lostAck:
	case torn:
		w.store.tear(q.partition, q.seq, w.scenario.trims, true)
		q.answer(q.do(false))
	case moreFirst:
		w.feed()
		q.answer(q.do(false))
	case madeAnew:
		w.streams.makeAnew()
		q.answer(errAway)
	default:
		w.fail("nobody knows how a request %s", fault)
	}
}
