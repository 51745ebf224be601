// SPDX-License-Identifier: Apache-2.0

package pipeline

import (
	"sync"
	"testing"
	"testing/synctest"
)

// TestTurnsAreAsMany: not more work at once than there are turns, and each that works makes way for the next.
func TestTurnsAreAsMany(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		two := make(turns, 2)
		var mu sync.Mutex
		working, done := 0, 0
		next := make(chan struct{})
		for range 5 {
			go two.do(func() {
				mu.Lock()
				working++
				mu.Unlock()
				<-next
				mu.Lock()
				working, done = working-1, done+1
				mu.Unlock()
			})
		}
		for left := 5; left > 0; left-- {
			synctest.Wait()
			mu.Lock()
			if working != min(2, left) || done != 5-left {
				t.Errorf("%d work and %d are done, with %d left", working, done, left)
			}
			mu.Unlock()
			next <- struct{}{}
		}
	})
}

// TestWithoutTurnsAllWork: an owner on its own needs none.
func TestWithoutTurnsAllWork(t *testing.T) {
	t.Parallel()
	worked := false
	turns(nil).do(func() { worked = true })
	if !worked {
		t.Error("it did not work")
	}
}
