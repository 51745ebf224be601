// SPDX-License-Identifier: Apache-2.0

package alert

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"tocsin/incident"
)

// wire is the way to a server, which is troubled for the first connections.
type wire struct {
	net.Listener
	to      string
	trouble string
	times   int

	mu    sync.Mutex
	conns []net.Conn
	wg    sync.WaitGroup
}

func newWire(t *testing.T, to, trouble string, times int) *wire {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := &wire{Listener: l, to: to, trouble: trouble, times: times}
	w.wg.Go(w.run)
	t.Cleanup(func() {
		_ = l.Close()
		w.mu.Lock()
		for _, c := range w.conns {
			_ = c.Close()
		}
		w.mu.Unlock()
		w.wg.Wait()
	})
	return w
}

func (w *wire) run() {
	for n := 1; ; n++ {
		client, err := w.Accept()
		if err != nil {
			return
		}
		trouble := ""
		if n <= w.times {
			trouble = w.trouble
		}
		server, err := net.Dial("tcp", w.to)
		if err != nil || trouble == "outage" {
			_ = client.Close()
			if err == nil {
				_ = server.Close()
			}
			continue
		}
		w.mu.Lock()
		w.conns = append(w.conns, client, server)
		w.mu.Unlock()
		w.wg.Go(func() { pipe(server, client, trouble == "half-open", "PUB ", nil) })
		w.wg.Go(func() {
			pipe(client, server, trouble == "ambiguous", `"seq":`, func() { _, _ = client.Close(), server.Close() })
		})
	}
}

// pipe copies from one end to the other; one that is troubled swallows all from a word on, and does something then.
func pipe(to io.WriteCloser, from io.Reader, troubled bool, word string, then func()) {
	defer to.Close()
	b := make([]byte, 64<<10)
	for swallow := false; ; {
		n, err := from.Read(b)
		if troubled && bytes.Contains(b[:n], []byte(word)) && !swallow {
			swallow = true
			if then != nil {
				then()
			}
		}
		if !swallow && n > 0 {
			if _, err := to.Write(b[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// TestNATSLosesNothing: through an outage, a connection that is half-open, answers that are lost and a stream that is full, the stream has
// each alert once, in the order of its incident.
func TestNATSLosesNothing(t *testing.T) {
	t.Parallel()
	s := serveNATS(t)
	for i, tt := range []struct {
		trouble string
		times   int
	}{{"outage", 2}, {"half-open", 1}, {"ambiguous", 2}, {"full", 1}} {
		t.Run(tt.trouble, func(t *testing.T) {
			t.Parallel()
			c, err := nats.Connect(s.ClientURL(), nats.UserInfo("tocsin", "hush"))
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			js, err := jetstream.New(c)
			if err != nil {
				t.Fatal(err)
			}
			config := jetstream.StreamConfig{Name: fmt.Sprint("ALERTS", i), Subjects: []string{fmt.Sprint("alerts.", i)}, Discard: jetstream.DiscardNew}
			if tt.trouble == "full" {
				config.MaxMsgs = 3
			}
			stream, err := js.CreateStream(t.Context(), config)
			if err != nil {
				t.Fatal(err)
			}
			m := newWatched(func() { // a stream that is full has room again
				config.MaxMsgs = -1
				if _, err := js.UpdateStream(t.Context(), config); err != nil {
					t.Error(err)
				}
			})
			w := newWire(t, s.Addr().String(), tt.trouble, tt.times)
			r := Receiver{Name: "a", Type: NATS, URL: "nats://" + w.Addr().String(), User: "tocsin", Password: "hush", Subject: config.Subjects[0], Stream: config.Name}
			for n := range 5 {
				tellOf(t, m.memory, r, testIncident(n, 1), incident.Opened)
				tellOf(t, m.memory, r, testIncident(n, 2), incident.ClosedByPerson)
			}
			m.deliver(t, r, 10)
			if diff := cmp.Diff(map[string]int{"sent": 10}, m.states()); diff != "" {
				t.Error(diff)
			}
			last := make(map[string]string)
			for seq := range uint64(10) {
				got, err := stream.GetMsg(t.Context(), seq+1)
				if err != nil {
					t.Fatal(err)
				}
				in, key := got.Header.Get("Tocsin-Incident"), got.Header.Get(nats.MsgIdHdr)
				if key <= last[in] {
					t.Errorf("%s came after %s", key, last[in])
				}
				last[in] = key
			}
			if info, err := stream.Info(t.Context()); err != nil || info.State.Msgs != 10 || !m.failed() {
				t.Errorf("%+v, %v; it had its trouble: %t", info, err, m.failed())
			}
		})
	}
}
