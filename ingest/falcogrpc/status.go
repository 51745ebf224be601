// SPDX-License-Identifier: Apache-2.0

package falcogrpc

import (
	"cmp"
	"time"
)

// Status is how a Source stands.
type Status struct {
	// Name and Address are those of the configuration.
	Name, Address string
	Connected     bool
	// Version is Falco's, "" until it has told.
	Version string
	// Last is the arrival of the last alert, Alerts how many came.
	Last   time.Time
	Alerts int64
	// Ended counts the sessions that ended or could not begin; Err says why the last of them did.
	Ended int64
	Err   string
}

// String says it in a few words. Whoever has a Falco with gRPC is to know that the next one has none.
func (st Status) String() string {
	if !st.Connected {
		return "not connected"
	}
	return "connected, Falco " + cmp.Or(st.Version, "of no version") + " (0.44 has no gRPC)"
}

// Status returns how the Source stands now.
func (s *Source) Status() Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.status
}

func (s *Source) note(change func(*Status)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(&s.status)
	if s.cfg.Connected != nil {
		s.cfg.Connected.WithLabelValues(s.cfg.Address).Set(map[bool]float64{true: 1}[s.status.Connected])
	}
}
