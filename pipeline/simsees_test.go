// SPDX-License-Identifier: Apache-2.0

package pipeline_test

import (
	"math/rand/v2"
	"testing"
)

// TestTheSimulationSees: if the streams or the store break a promise that the loops rely on, some schedule shows it. That it sees
// when the loops do not keep theirs, the mutants of package test show.
func TestTheSimulationSees(t *testing.T) {
	t.Parallel()
	for what, breaks := range map[string]func(*world){
		"a store that takes commits of any epoch":            func(w *world) { w.store.unfenced = true },
		"a store that does not check what it has kept":       func(w *world) { w.store.unsummed = true },
		"a floor that does not wait for acknowledgements":    func(w *world) { w.streams.hasty = true },
		"a message that is acknowledged and cannot be found": func(w *world) { w.streams.forgetful = true },
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			s := scenario{name: "torn", torn: true, piecemeal: true}.prepare(t)
			s.seen = breaks
			for seed := range uint64(1000) {
				c := &choices{random: rand.New(rand.NewPCG(seed, seed)), rate: 0.05, left: 8}
				if err := s.play(t, c); err != nil {
					t.Logf("with seed %d: %.300v", seed, err)
					return
				}
			}
			t.Error("nothing shows it")
		})
	}
}
