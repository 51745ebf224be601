// SPDX-License-Identifier: Apache-2.0

package pipeline

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"

	"tocsin/event"
	"tocsin/ingest"
	"tocsin/stream"
)

// ErrCut says that an entry of quarantine has only the beginning of what came.
var ErrCut = errors.New("what is kept of it was cut: it cannot be read as a whole")

// maxRelease is how many entries one act in bulk releases at the most.
const maxRelease = 1000

// Releaser takes what was quarantined in again, if it can be read by now.
type Releaser struct {
	Streams interface {
		Quarantined(ctx context.Context, seq uint64, index int, fn func(stream.Kept) bool) (uint64, int, error)
		Release(ctx context.Context, k stream.Kept, stamp stream.Stamp, recs []event.Record) error
	}
	Parser *ingest.Parser
	Stamp  func() stream.Stamp

	bulk sync.Mutex
}

// Release publishes what is in an entry as the events that they would have been when they first came: with the ids that they would
// have had, and, if they say no time of their own, the time of then. It returns how many there are. An error that is an
// [*ingest.Malformed] or [ErrCut] says why the entry stays what it is.
func (r *Releaser) Release(ctx context.Context, k stream.Kept) (int, error) {
	recs, err := r.read(k)
	if err != nil {
		return 0, err
	}
	if err := r.Streams.Release(ctx, k, r.Stamp(), recs); err != nil {
		return 0, fmt.Errorf("release: %w", err)
	}
	return len(recs), nil
}

func (r *Releaser) read(k stream.Kept) ([]event.Record, error) {
	if k.Cut > 0 {
		return nil, ErrCut
	}
	rec := event.Record{Input: k.Input, Source: k.Source, Raw: k.Raw, Ordinal: k.Ordinal, Taken: cmp.Or(k.Taken, k.Time)}
	return r.Parser.Again(rec, k.Reason, k.Time)
}

// Unreleasable returns why an entry stays in quarantine, as a short label; ok is false of another error.
func Unreleasable(err error) (reason string, ok bool) {
	if errors.Is(err, ErrCut) {
		return "cut", true
	}
	m, ok := errors.AsType[*ingest.Malformed](err)
	if !ok {
		return "", false
	}
	return m.Reason, true
}

// Released is what became of entries in bulk.
type Released struct {
	// Entries were released, of them Events made; Refused counts the others, by reason.
	Entries, Events int
	Refused         map[string]int
	// Next is where to go on, nil if there are no more.
	Next *LogPlace
}

// ReleaseAll releases the entries that want selects, newest first, from before on (nil: from the newest): at most a thousand of them
// at a time. One act at a time: the error may be ErrBusy. After another error what has been released is, and doing it again
// does no harm.
func (r *Releaser) ReleaseAll(ctx context.Context, before *LogPlace, want func(stream.Kept) bool) (Released, error) {
	out := Released{Refused: make(map[string]int)}
	if !r.bulk.TryLock() {
		return out, ErrBusy
	}
	defer r.bulk.Unlock()
	var from LogPlace
	if before != nil {
		from = *before
	}
	var failed error
	seen := 0
	seq, index, err := r.Streams.Quarantined(ctx, from.Seq, from.Index, func(k stream.Kept) bool {
		if !want(k) {
			return false
		}
		seen++
		n, err := r.Release(ctx, k)
		reason, refused := Unreleasable(err)
		switch {
		case refused:
			out.Refused[reason]++
		case err != nil:
			failed = err
			return true
		default:
			out.Entries++
			out.Events += n
		}
		return seen == maxRelease
	})
	if err == nil {
		err = failed
	}
	if seq != 0 {
		out.Next = &LogPlace{seq, index}
	}
	return out, err
}
