// SPDX-License-Identifier: Apache-2.0

package pipeline

import "runtime"

// turns lets as many engines work at once as there are processors. With a backlog every partition has work, and on one processor
// a dozen of them kept whoever renews the leases waiting, for a slice of time each and at each of its steps, until the leases had
// run out: partitions were read again and again, and none got on.
type turns chan struct{}

func newTurns() turns { return make(turns, max(runtime.GOMAXPROCS(0), 1)) }

// do works when there is a turn. It must not wait for anybody else meanwhile. Without turns it works at once.
func (t turns) do(work func()) {
	if t != nil {
		t <- struct{}{}
		defer func() { <-t }()
	}
	work()
}
