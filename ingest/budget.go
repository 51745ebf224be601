// SPDX-License-Identifier: Apache-2.0

package ingest

import (
	"errors"
	"io"
	"sync/atomic"
)

// MaxInFlight is how many bytes of requests are held at once: read, and not on disk yet. When NATS is slow senders have to
// keep what they send, as we could not for long.
const MaxInFlight = 256 << 20

// ErrBusy says that too many bytes are in flight.
var ErrBusy = errors.New("too much is on its way to the disk")

// Budget is the bytes that requests may hold together. All listeners of a process have one, as they have one memory.
type Budget struct {
	size int64
	left atomic.Int64
}

// NewBudget returns a Budget of so many bytes.
func NewBudget(bytes int64) *Budget {
	b := &Budget{size: bytes}
	b.left.Store(bytes)
	return b
}

// Size is what there is when nobody holds anything.
func (b *Budget) Size() int64 { return b.size }

// Share returns the share of a request that begins: it holds nothing yet.
func (b *Budget) Share() *Share { return &Share{of: b} }

// Share is what one request holds of a Budget.
type Share struct {
	of   *Budget
	held int64
}

// Take takes n bytes more, or nothing and returns ErrBusy.
func (s *Share) Take(n int) error {
	if s.of.left.Add(-int64(n)) < 0 {
		s.of.left.Add(int64(n))
		return ErrBusy
	}
	s.held += int64(n)
	return nil
}

// Keep gives back all but n bytes.
func (s *Share) Keep(n int) {
	if more := s.held - int64(n); more > 0 {
		s.of.left.Add(more)
		s.held -= more
	}
}

// GiveBack ends the request.
func (s *Share) GiveBack() { s.Keep(0) }

// reader takes what is read of r; it fails with ErrBusy.
func (s *Share) reader(r io.Reader) io.Reader { return &shareReader{s, r} }

type shareReader struct {
	s *Share
	r io.Reader
}

func (r *shareReader) Read(p []byte) (int, error) {
	n, err := r.r.Read(p)
	if busy := r.s.Take(n); busy != nil {
		return 0, busy
	}
	return n, err
}
