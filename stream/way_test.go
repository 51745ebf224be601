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

// loseAnswers lets only so many bytes of the answers come back. What the client has sent when they break off still arrives.
func loseAnswers(random *rand.Rand) fault {
	var mu sync.Mutex
	return func(w *way, client, server net.Conn) {
		sent := make(chan struct{})
		go func() {
			defer close(sent)
			_, _ = io.Copy(server, client)
			_ = server.Close()
		}()
		mu.Lock()
		some := random.Int64N(8_000)
		mu.Unlock()
		if _, err := io.CopyN(client, server, some); err == nil {
			w.cuts.Add(1)
		}
		_ = client.Close()
		<-sent
	}
}

// holdFirst breaks the connection on which the client first sends what contains some bytes, and holds that until it is released.
func holdFirst(what []byte) fault {
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
			if bytes.Contains(buf[:n], what) && once.CompareAndSwap(false, true) {
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
