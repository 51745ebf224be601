// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"os"
	"testing"
	"time"
)

// TestFaults is a short run of each kind; the program beside it has long ones. Clocks are right here, and the power stays: to
// build what they need takes longer than all of it.
func TestFaults(t *testing.T) {
	programs, err := build(false)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(programs.dir) }) // it is in the folder for such things
	for _, replicas := range []int{0, 3} {
		t.Run(fmt.Sprint(replicas), func(t *testing.T) {
			t.Parallel()
			r := run{
				seed: uint64(time.Now().UnixNano()), replicas: replicas, faults: 6, rate: 150,
				length: 10 * time.Second, lateness: 40 * time.Second, programs: programs,
			}
			text, verdict := r.do()
			t.Log(text)
			switch verdict {
			case wrong:
				t.Error("the incidents are others")
			case inconclusive:
				t.Log("this machine was too slow to say")
			}
		})
	}
}
