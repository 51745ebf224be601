// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"runtime"
	"sync"
	"sync/atomic"
)

// atOnce does n things, of which none needs another, on all processors; it returns when all are done.
func atOnce(n int, do func(i int)) {
	var next atomic.Int64
	var wg sync.WaitGroup
	for range min(n, runtime.GOMAXPROCS(0)) {
		wg.Go(func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= n {
					return
				}
				do(i)
			}
		})
	}
	wg.Wait()
}
