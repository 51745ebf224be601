// SPDX-License-Identifier: Apache-2.0

package api

import "sync"

const (
	// maxLive is how many streams of server-sent events a process has at a time, maxOwn how many of them are one principal's: who
	// leaves theirs open keeps nobody else out.
	maxLive = 64
	maxOwn  = 16
)

// seats counts who follows streams.
type seats struct {
	mu  sync.Mutex
	all int
	own map[string]int // by principal; who has none is not in it
}

// take counts one in until it leaves. The error is ErrBusy if all seats are taken, errOwnBusy if those of this principal are.
func (s *seats) take(who string) (leave func(), err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.own[who] >= maxOwn:
		return nil, errOwnBusy
	case s.all >= maxLive:
		return nil, ErrBusy
	}
	if s.own == nil {
		s.own = make(map[string]int)
	}
	s.all++
	s.own[who]++
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.all--
		if s.own[who]--; s.own[who] == 0 {
			delete(s.own, who)
		}
	}, nil
}
