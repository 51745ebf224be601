// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"math/rand/v2"
	"net"
	"sync/atomic"
)

// Ports below those that the kernel gives to connections: a process that was killed finds its own free when it starts again.
const (
	firstPort = 10_000
	portCount = 20_000
)

// lastPort was tried last; another chaos may run beside this one, and begins elsewhere.
var lastPort = func() *atomic.Uint32 {
	var p atomic.Uint32
	p.Store(rand.Uint32N(portCount))
	return &p
}()

// freePorts returns ports on which nobody listens.
func freePorts(n int) ([]int, error) {
	var out []int
	for tried := 0; len(out) < n; tried++ {
		if tried == portCount {
			return nil, fmt.Errorf("chaos: no free ports from %d on", firstPort)
		}
		port := firstPort + int(lastPort.Add(1)%portCount)
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			continue
		}
		_ = l.Close() // nothing was accepted
		out = append(out, port)
	}
	return out, nil
}
