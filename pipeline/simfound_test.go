// SPDX-License-Identifier: Apache-2.0

package pipeline_test

import (
	"testing"
	"testing/synctest"
)

// What the simulation has found, told again by itself.

// TestALogWithoutNewsIsSaved: who takes over a partition of which all is decided, and not all in the snapshot, saves it though
// nothing comes any more. A log that is full takes nothing in until it is trimmed of what is in snapshots.
func TestALogWithoutNewsIsSaved(t *testing.T) {
	t.Parallel()
	s := scenario{name: "plain"}.prepare(t)
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(s, &choices{})
		w.run()
		for i := range w.store.parts { // as if they had died before the last snapshot
			w.store.parts[i].Snapshot, w.store.parts[i].Before, w.store.parts[i].snapshots = 0, 0, nil
		}
		w.ending = false
		for place := range w.inPlace {
			w.start(place)
		}
		w.run()
		if err := w.end(); err != nil {
			t.Error(err)
		}
	})
}

// TestToldToEndWhileReadingAgain: who is told to end before it has read again what is committed commits nothing.
func TestToldToEndWhileReadingAgain(t *testing.T) {
	t.Parallel()
	s := scenario{name: "plain", piecemeal: true}.prepare(t)
	c := &choices{wishes: []wish{{"commits 0 up to 1003", crashAfter}, {"reads log 0", stopAfter}}}
	if err := s.play(t, c); err != nil || len(c.wishes) > 0 {
		t.Errorf("%v; what did not come to pass: %v", err, c.wishes)
	}
}
