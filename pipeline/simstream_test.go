// SPDX-License-Identifier: Apache-2.0

package pipeline_test

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"time"

	"tocsin/correlate"
	"tocsin/event"
	"tocsin/stream"
)

const (
	// heldFor is how long the server waits for an acknowledgement, or for a word of who has the message.
	heldFor = 3 * time.Second
	// firstSeq is the first sequence of MATCHES: a stream need not begin at 1.
	firstSeq = 1001
)

// streamServer is what the streams are to all processes: EVENTS with its one shared consumer, and the log MATCHES.
type streamServer struct {
	partitions int
	now        func() int64 // the stream's time

	events    []stream.EventsMsg // of sequence 1 on
	delivered uint64             // up to here each was given to somebody at least once
	out       map[uint64]*delivery
	again     []uint64 // to be given to somebody once more

	matches []logged // of firstSeq on
	known   map[string]bool
	first   uint64 // of MATCHES: what was before is trimmed
	dedupes bool
	clocks  []uint64 // the last marker that is each partition's clock

	// hasty and forgetful break their promises, to see that it is seen.
	hasty, forgetful bool
}

// delivery is a message that somebody has, or had.
type delivery struct {
	to    *process
	held  bool // it has said nothing of it yet
	until time.Time
}

// logged is a message of MATCHES.
type logged struct {
	partition int
	at        int64
	data      []byte
}

// add appends to EVENTS.
func (s *streamServer) add(m stream.EventsMsg) {
	m.Seq = uint64(len(s.events)) + 1
	s.events = append(s.events, m)
}

// redeliver takes back what is held by nobody: a process that lives says so as long as it has a message.
func (s *streamServer) redeliver() {
	now := time.Now()
	for _, seq := range slices.Sorted(maps.Keys(s.out)) {
		switch d := s.out[seq]; {
		case slices.Contains(s.again, seq):
		case d.held && d.to.holds():
			d.until = now.Add(heldFor)
		case !now.Before(d.until):
			s.again = append(s.again, seq)
		}
	}
}

// waiting is how many messages of EVENTS can be given to somebody.
func (s *streamServer) waiting() int { return len(s.again) + len(s.events) - int(s.delivered) }

// take gives messages of EVENTS to a process, those that come again first.
func (s *streamServer) take(p *process, limit int) []stream.EventsMsg {
	var out []stream.EventsMsg
	for len(out) < limit && s.waiting() > 0 {
		var seq uint64
		if len(s.again) > 0 {
			seq, s.again = s.again[0], s.again[1:]
		} else {
			s.delivered++
			seq = s.delivered
		}
		d := &delivery{p, true, time.Now().Add(heldFor)}
		s.out[seq] = d
		m := s.events[seq-1]
		m.Receipt = receipt{s, p, seq, d}
		out = append(out, m)
	}
	return out
}

// floor is the sequence up to which everything is acknowledged.
func (s *streamServer) floor() uint64 {
	floor := s.delivered
	if s.hasty {
		return floor
	}
	for seq := range s.out {
		floor = min(floor, seq-1)
	}
	return floor
}

// ack settles a message, whoever says so: the server does not ask which delivery is meant.
func (s *streamServer) ack(seq uint64) {
	delete(s.out, seq)
	s.again = slices.DeleteFunc(s.again, func(x uint64) bool { return x == seq })
}

// nak has a message come again.
func (s *streamServer) nak(seq uint64) {
	if s.out[seq] != nil && !slices.Contains(s.again, seq) {
		s.again = append(s.again, seq)
	}
}

// makeAnew is what a consumer that somebody deletes leads to: another one, which begins at the beginning.
func (s *streamServer) makeAnew() { s.delivered, s.again, s.out = 0, nil, make(map[uint64]*delivery) }

// matched reports whether everything is matched, and a marker at the end of the script is the clock of all partitions.
func (s *streamServer) matched(script int) bool {
	if s.floor() < uint64(len(s.events)) {
		return false
	}
	return slices.Min(s.clocks) >= uint64(script)
}

// publish appends to MATCHES what is not there yet.
func (s *streamServer) publish(msgs []stream.MatchMsg) {
	for _, m := range msgs {
		if s.dedupes && s.known[m.ID] {
			continue
		}
		s.known[m.ID] = true
		if s.forgetful && len(s.known) == 5 {
			continue
		}
		s.matches = append(s.matches, logged{m.Partition, s.now(), bytes.Clone(m.Data)})
		s.clocks[m.Partition] = max(s.clocks[m.Partition], markerOf(m.Data))
	}
}

// markerOf returns the sequence of the marker that a tick is of, 0 of anything else.
func markerOf(data []byte) (marker uint64) {
	entries, _ := correlate.DecodeEntries(data, 0) // whoever reads it says what is wrong with it
	for _, e := range entries {
		if e.Tick != nil {
			marker = e.Tick.Floor
		}
	}
	return marker
}

// last is the sequence of the last message of MATCHES.
func (s *streamServer) last() uint64 { return firstSeq + uint64(len(s.matches)) - 1 }

// lasts are those of the partitions' last messages, 0 for none that is kept.
func (s *streamServer) lasts() []uint64 {
	out := make([]uint64, s.partitions)
	for i, m := range s.matches {
		if seq := firstSeq + uint64(i); seq >= s.first {
			out[m.partition] = seq
		}
	}
	return out
}

// read returns what a partition's log has from a sequence on.
func (s *streamServer) read(partition int, from uint64, limit int) []stream.PartitionMsg {
	var out []stream.PartitionMsg
	for seq := max(from, s.first); seq <= s.last() && len(out) < limit; seq++ {
		if m := s.matches[seq-firstSeq]; m.partition == partition {
			out = append(out, stream.PartitionMsg{Seq: seq, Time: m.at, Data: bytes.Clone(m.data)})
		}
	}
	return out
}

// record is one record of EVENTS.
func (s *streamServer) record(seq uint64, index uint32) (event.Record, bool) {
	if seq < 1 || seq > uint64(len(s.events)) || int(index) >= len(s.events[seq-1].Batch.Records) {
		return event.Record{}, false
	}
	return s.events[seq-1].Batch.Records[index], true
}

func (s *streamServer) state() string {
	return fmt.Sprintf("EVENTS: %d of %d given, matched up to %d; MATCHES up to %d", s.delivered, len(s.events), s.floor(), s.last())
}

// receipt settles what a process was given.
type receipt struct {
	s   *streamServer
	p   *process
	seq uint64
	d   *delivery
}

func (r receipt) Ack() error { return r.say("ack", r.s.ack) }
func (r receipt) Nak() error { return r.say("nak", r.s.nak) }

func (r receipt) say(what string, do func(uint64)) error {
	r.p.w.mu.Lock()
	r.d.held = false
	r.p.w.mu.Unlock()
	return r.p.send(&request{label: fmt.Sprintf("%s %d", what, r.seq), kind: anAck, do: func(bool) error {
		do(r.seq)
		return nil
	}})
}
