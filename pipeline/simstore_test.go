// SPDX-License-Identifier: Apache-2.0

package pipeline_test

import (
	"crypto/sha256"
	"fmt"
	"maps"
	"slices"
	"time"

	"tocsin/correlate"
	"tocsin/store"
)

// storeServer is what the store is to all processes: the contract of package store, in memory. It goes by its own clock, the
// bubble's.
type storeServer struct {
	members map[string]time.Time // alive until
	parts   []part
	book    *book
	watch   *watch
	listens func(heard) // nil but where it is compared with a real one
	// unfenced and unsummed break its promises, to see that it is seen.
	unfenced, unsummed bool
}

// part is one partition's row, with its snapshots by sequence: the last one and the one before it, which share what is the same.
type part struct {
	store.Lease
	owner     string
	until     time.Time
	snapshots map[uint64]map[string]*savedCell
}

type savedCell struct {
	state []byte
	sum   [32]byte
}

func newStoreServer(partitions int) *storeServer {
	s := &storeServer{members: make(map[string]time.Time), parts: make([]part, partitions), book: newBook()}
	for i := range s.parts {
		s.parts[i].Partition = i
	}
	return s
}

func (s *storeServer) share(total int) int {
	now, n := time.Now(), 0
	for _, until := range s.members {
		if until.After(now) {
			n++
		}
	}
	n = max(n, 1)
	return (total + n - 1) / n
}

// grantable lists the partitions that an owner would get, if it asked now.
func (s *storeServer) grantable(owner string, total int) []int {
	now, room := time.Now(), s.share(total)
	var free []int
	for i := range s.parts {
		switch p := &s.parts[i]; {
		case !p.until.After(now):
			free = append(free, i)
		case p.owner == owner:
			room--
		}
	}
	return free[:max(0, min(room, len(free)))]
}

func (s *storeServer) wouldGrant(owner string, total int) bool {
	return len(s.grantable(owner, total)) > 0
}

func (s *storeServer) acquire(owner string, ttl time.Duration, total int) []store.Lease {
	s.members[owner] = time.Now().Add(ttl)
	var out []store.Lease
	for _, i := range s.grantable(owner, total) {
		p := &s.parts[i]
		p.owner, p.until = owner, time.Now().Add(ttl)
		p.Epoch++
		out = append(out, p.Lease)
		if lease := p.Lease; s.listens != nil {
			s.listens(heard{lease: &lease})
		}
	}
	return out
}

func (s *storeServer) renew(owner string, ttl time.Duration, held []store.Lease) (lost []int) {
	s.members[owner] = time.Now().Add(ttl)
	for _, l := range held {
		if p := &s.parts[l.Partition]; p.owner == owner && p.Epoch == l.Epoch {
			p.until = time.Now().Add(ttl)
		} else {
			lost = append(lost, l.Partition)
		}
	}
	return lost
}

func (s *storeServer) release(partition int, epoch int64) {
	if p := &s.parts[partition]; p.Epoch == epoch {
		p.owner, p.until = "", time.Time{}
	}
}

func (s *storeServer) leave(owner string) {
	for i := range s.parts {
		if s.parts[i].owner == owner {
			s.release(i, s.parts[i].Epoch)
		}
	}
	delete(s.members, owner)
}

// commit is one transaction.
func (s *storeServer) commit(c store.Commit) error {
	err := s.write(c)
	s.hear(c, err)
	return err
}

// write is a commit under the fence.
func (s *storeServer) write(c store.Commit) error {
	p := &s.parts[c.Partition]
	if p.Epoch != c.Epoch && !s.unfenced {
		return store.ErrFenced
	}
	if p.Stream == c.Stream && p.Applied > c.Applied {
		return store.ErrBehind
	}
	p.Stream, p.Applied, p.Clock = c.Stream, c.Applied, c.Clock
	if c.Lease > 0 && p.owner != "" {
		p.until = time.Now().Add(c.Lease)
	}
	s.book.write(c)
	if snap := c.Snapshot; snap != nil {
		again := snap.Seq == p.Snapshot && snap.Before <= p.Before
		if !again && !snap.Undo && snap.Before != p.Snapshot && !snap.Full {
			s.watch.w.fail("a snapshot of %d is made of that of %d, and the last one is of %d", snap.Seq, snap.Before, p.Snapshot)
		}
		if snap.Full || snap.Undo && snap.Before == p.Before || !again {
			p.save(snap)
		}
	}
	s.watch.committed(c, p.Lease)
	return nil
}

// save keeps a snapshot and the one that it is made of.
func (p *part) save(snap *store.Snapshot) {
	before := p.snapshots[snap.Before]
	now := make(map[string]*savedCell)
	maps.Copy(now, before)
	for _, x := range snap.Cells {
		if x.State == nil {
			delete(now, x.ID)
		} else {
			now[x.ID] = &savedCell{slices.Clone(x.State), sumOf(x.ID, x.State)}
		}
	}
	p.Snapshot, p.Before, p.Format = snap.Seq, snap.Before, snap.Format
	p.snapshots = map[uint64]map[string]*savedCell{snap.Before: before, snap.Seq: now}
}

func sumOf(id string, state []byte) [32]byte {
	return sha256.Sum256([]byte(id + "\x00" + string(state)))
}

// cells returns the snapshot of a sequence, that of the empty id first, up to the first cell that is damaged.
func (s *storeServer) cells(partition int, seq uint64) ([]correlate.Cell, error) {
	var out []correlate.Cell
	cells := s.parts[partition].snapshots[seq]
	for _, id := range slices.Sorted(maps.Keys(cells)) {
		x := cells[id]
		if sumOf(id, x.state) != x.sum && !s.unsummed {
			return out, fmt.Errorf("cell %q: %w", id, store.ErrCorrupt)
		}
		out = append(out, correlate.Cell{ID: id, State: slices.Clone(x.state)})
	}
	return out, nil
}

// tear damages a partition's snapshot: in its last cell a bit is another. alone spares what the other snapshot has, too; it
// reports whether there is something to damage.
func (s *storeServer) tear(partition int, seq uint64, alone, do bool) bool {
	p := &s.parts[partition]
	cells := p.snapshots[seq]
	ids := slices.DeleteFunc(slices.Sorted(maps.Keys(cells)), func(id string) bool {
		return alone && cells[id] == p.snapshots[p.Before][id]
	})
	if len(ids) > 0 && do {
		x := cells[ids[len(ids)-1]]
		x.state[len(x.state)/2] ^= 1
	}
	return len(ids) > 0
}

// decided reports whether all of MATCHES is committed and in both snapshots.
func (s *storeServer) decided(streams *streamServer) bool {
	for i, last := range streams.lasts() {
		if s.parts[i].Before < last {
			return false
		}
	}
	return true
}

func (s *storeServer) state() string {
	out := "store:"
	for _, p := range s.parts {
		out += fmt.Sprintf(" %d of %q, epoch %d, up to %d, snapshots %d and %d;", p.Partition, p.owner, p.Epoch, p.Applied, p.Snapshot, p.Before)
	}
	return out
}
