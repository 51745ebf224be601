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

// errBusy says that too many bytes are in flight.
var errBusy = errors.New("too much is on its way to the disk")

// budget is the bytes that requests may hold together.
type budget struct{ left atomic.Int64 }

// share is what one request holds of a budget.
type share struct {
	of   *budget
	held int64
}

// take takes n bytes more, or nothing.
func (s *share) take(n int) error {
	if s.of.left.Add(-int64(n)) < 0 {
		s.of.left.Add(int64(n))
		return errBusy
	}
	s.held += int64(n)
	return nil
}

// giveBack ends the request.
func (s *share) giveBack() {
	s.of.left.Add(s.held)
	s.held = 0
}

// reader takes what is read of r; it fails with errBusy.
func (s *share) reader(r io.Reader) io.Reader { return &shareReader{s, r} }

type shareReader struct {
	s *share
	r io.Reader
}

func (r *shareReader) Read(p []byte) (int, error) {
	n, err := r.r.Read(p)
	if busy := r.s.take(n); busy != nil {
		return 0, busy
	}
	return n, err
}
