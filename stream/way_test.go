// SPDX-License-Identifier: Apache-2.0

package stream_test

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// way is a proxy to a server that breaks connections, as its fault says.
type way struct {
	ln   net.Listener
	to   string
	cuts atomic.Int64 // connections that were broken

	late chan struct{} // closed when what is held may go on
	gone chan struct{} // closed when the server has it
}

// fault joins the connections of a client and its server, and ends when they are closed.
type fault func(w *way, client, server net.Conn)

func newWay(t *testing.T, to string, carry fault) *way {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := &way{ln: ln, to: strings.TrimPrefix(to, "nats://"), late: make(chan struct{}), gone: make(chan struct{})}
	var all sync.WaitGroup
	all.Go(func() {
		for {
			client, err := ln.Accept()
			if err != nil {
				return
			}
			server, err := net.Dial("tcp", w.to)
			if err != nil {
				_ = client.Close()
				continue
			}
			all.Go(func() { carry(w, client, server) })
		}
	})
	t.Cleanup(func() {
		_ = ln.Close()
		all.Wait()
	})
	return w
}

func (w *way) url() string { return "nats://" + w.ln.Addr().String() }

// release lets what is held go on, and returns when the server has read it.
func (w *way) release() {
	close(w.late)
	<-w.gone
}

// placed is in each message of records that an edge sends.
var placed = []byte("Tocsin-Edge")

// loses breaks each connection: after so many bytes of answers, or before one of the first messages of records, or after it and before
// its answer.
func loses(random *rand.Rand) fault {
	var mu sync.Mutex
	draw := func(n int) int {
		mu.Lock()
		defer mu.Unlock()
		return random.IntN(n)
	}
	return func(w *way, client, server net.Conn) {
		kind, nth, some := draw(3), draw(4), draw(8_000)
		var mute atomic.Bool
		answered := make(chan struct{})
		go func() {
			defer close(answered)
			for buf := make([]byte, 1<<16); ; {
				n, err := server.Read(buf)
				if some -= n; kind == 0 && some < 0 || mute.Load() {
					w.cuts.Add(1)
					_ = client.Close()
					return
				}
				if _, broken := client.Write(buf[:n]); err != nil || broken != nil {
					return
				}
			}
		}()
		for buf := make([]byte, 1<<20); ; {
			n, err := client.Read(buf)
			if bytes.Contains(buf[:n], placed) {
				if nth--; nth < 0 && kind == 1 {
					w.cuts.Add(1)
					break
				}
				mute.Store(nth < 0 && kind == 2)
			}
			if _, broken := server.Write(buf[:n]); err != nil || broken != nil {
				break
			}
		}
		_ = client.Close()
		_ = server.Close()
		<-answered
	}
}

// passes carries everything, unless the way is shut.
func passes(shut *atomic.Bool) fault {
	return func(_ *way, client, server net.Conn) {
		answered := make(chan struct{})
		go func() {
			defer close(answered)
			_, _ = io.Copy(client, server) // it ends with either connection
			_ = client.Close()
		}()
		if !shut.Load() {
			_, _ = io.Copy(server, client)
		}
		_ = client.Close()
		_ = server.Close()
		<-answered
	}
}

// holdsFirst breaks the connection on which the client first sends records, and holds them until they are released.
func holdsFirst() fault {
	var once atomic.Bool
	return func(w *way, client, server net.Conn) {
		var held atomic.Bool
		answered := make(chan struct{})
		go func() {
			defer close(answered)
			for buf := make([]byte, 1<<16); ; {
				n, err := server.Read(buf)
				_, _ = client.Write(buf[:n]) // it may be gone
				if held.Load() && bytes.Contains(buf[:n], []byte("PONG")) {
					close(w.gone)
					held.Store(false)
				}
				if err != nil {
					return
				}
			}
		}()
		for buf := make([]byte, 1<<20); ; {
			n, err := client.Read(buf)
			if bytes.Contains(buf[:n], placed) && once.CompareAndSwap(false, true) {
				_ = client.Close()
				<-w.late
				held.Store(true)
				_, err = fmt.Fprintf(server, "%sPING\r\n", buf[:n]) // its answer says that the server has read what was late
				if err == nil {
					<-w.gone
				}
				break
			}
			if _, broken := server.Write(buf[:n]); err != nil || broken != nil {
				break
			}
		}
		_ = client.Close()
		_ = server.Close()
		<-answered
	}
}
