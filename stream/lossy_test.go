// SPDX-License-Identifier: Apache-2.0

package stream_test

import (
	"io"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// lossyWay is a way to a server on which everything gets there, and of the answers of each connection only so many bytes come
// back before it breaks.
type lossyWay struct {
	ln   net.Listener
	to   string
	cuts atomic.Int64

	mu     sync.Mutex
	random *rand.Rand
}

func newLossyWay(t *testing.T, to string, random *rand.Rand) *lossyWay {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := &lossyWay{ln: ln, to: strings.TrimPrefix(to, "nats://"), random: random}
	var all sync.WaitGroup
	all.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			all.Go(func() { w.carry(c) })
		}
	})
	t.Cleanup(func() {
		_ = ln.Close()
		all.Wait()
	})
	return w
}

func (w *lossyWay) url() string { return "nats://" + w.ln.Addr().String() }

// carry joins two connections. What the client has sent when the answers break off still arrives.
func (w *lossyWay) carry(client net.Conn) {
	server, err := net.Dial("tcp", w.to)
	if err != nil {
		_ = client.Close()
		return
	}
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		_, _ = io.Copy(server, client)
		_ = server.Close()
	}()
	w.mu.Lock()
	some := w.random.Int64N(8_000)
	w.mu.Unlock()
	_, err = io.CopyN(client, server, some)
	if err == nil {
		w.cuts.Add(1)
	}
	_ = client.Close()
	<-sent
}
