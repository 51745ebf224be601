// SPDX-License-Identifier: Apache-2.0

package lokitest

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

// Loki's defaults for the time of an entry.
const (
	// tooFarBehind is half of max_chunk_age: how far an entry may be behind the newest of its stream.
	tooFarBehind = time.Hour
	// tooOld is reject_old_samples_max_age, tooNew creation_grace_period.
	tooOld = 7 * 24 * time.Hour
	tooNew = 10 * time.Minute
)

// Taken is an entry with the labels of its stream.
type Taken struct {
	Labels string
	Entry
}

// streams is what a Loki holds.
type streams struct {
	newest map[string]time.Time
	// entries are in the order in which they were taken, each once.
	entries []Taken
	// Repeated counts entries that were there already: same stream, time and line.
	repeated int
}

// take adds the entries of a push. Like Loki it takes what it can and tells of the first that it refuses.
func (s *streams) take(p Push, now time.Time) error {
	var errs []error
	for _, st := range p.Streams {
		labels := PrintLabels(st.Labels)
		for _, e := range st.Entries {
			errs = append(errs, s.add(labels, e, now))
		}
	}
	return errors.Join(errs...)
}

func (s *streams) add(labels string, e Entry, now time.Time) error {
	if slices.ContainsFunc(s.entries, func(t Taken) bool {
		return t.Labels == labels && t.Time.Equal(e.Time) && t.Line == e.Line
	}) {
		s.repeated++
		return nil
	}
	newest := s.newest[labels]
	switch {
	case now.Sub(e.Time) > tooOld:
		return fmt.Errorf("entry for stream '%s' has timestamp too old: %v", labels, e.Time)
	case e.Time.Sub(now) > tooNew:
		return fmt.Errorf("entry for stream '%s' has timestamp too new: %v", labels, e.Time)
	case newest.Sub(e.Time) > tooFarBehind:
		return fmt.Errorf("entry too far behind, entry timestamp is: %v, newest of stream '%s' is: %v", e.Time, labels, newest)
	}
	if e.Time.After(newest) {
		s.newest[labels] = e.Time
	}
	s.entries = append(s.entries, Taken{labels, e})
	return nil
}
