// SPDX-License-Identifier: Apache-2.0

package pipeline

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"tocsin/proof"
)

// anchoring is one anchor that runs; newest is what it is to be given.
type anchoring struct {
	newest  atomic.Value
	asked   atomic.Int64 // how often it was
	metrics *AnchorMetrics
	said    bytes.Buffer
	end     func() // and wait until it has
}

func anchorTo(t *testing.T, keep func(ctx context.Context, note string) error, limit time.Duration) *anchoring {
	t.Helper()
	x := &anchoring{metrics: NewAnchorMetrics(prometheus.NewRegistry())}
	x.newest.Store("")
	a := &Anchors{
		List: []Anchor{{Name: "safe", Every: time.Millisecond, Keep: keep, Time: limit}},
		Newest: func() string {
			x.asked.Add(1)
			return x.newest.Load().(string)
		},
		Metrics: x.metrics, Log: slog.New(slog.NewTextHandler(&x.said, nil)), Now: func() time.Time { return time.Unix(1_700_000_000, 0) },
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- a.Run(ctx) }()
	x.end = func() {
		t.Helper()
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		x.end = func() {}
	}
	t.Cleanup(func() { x.end() })
	return x
}

// anchorServer is the other side; it answers as it is told, one request after the other, and says what came.
type anchorServer struct {
	*httptest.Server
	came   chan string
	answer chan int
}

func newAnchorServer(t *testing.T) *anchorServer {
	t.Helper()
	s := &anchorServer{came: make(chan string), answer: make(chan int)}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		said := r.Method + " " + r.Header.Get("Authorization") + " " + r.Header.Get("X-Tenant") + " " + string(b)
		select {
		case s.came <- said:
		case <-r.Context().Done():
			return
		}
		select {
		case code := <-s.answer:
			w.Header().Set("Location", "/elsewhere")
			w.WriteHeader(code)
		case <-r.Context().Done():
		}
	}))
	t.Cleanup(s.Close)
	return s
}

// TestAnAnchorIsGivenTheNewest: what is new, once, in words and with the proof that the other side wants; through answers that are none,
// which are told once, and counted.
func TestAnAnchorIsGivenTheNewest(t *testing.T) {
	t.Parallel()
	s := newAnchorServer(t)
	token := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(token, []byte("s3cret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	u := AnchorURL{URL: strings.Replace(s.URL, "//", "//me:hunter2@", 1) + "/x", Method: http.MethodPut, Headers: map[string]string{"X-Tenant": "soc"}, TokenFile: token}
	x := anchorTo(t, u.Keeper(), 0)
	give := func(note, want string, codes ...int) {
		t.Helper()
		x.newest.Store(note)
		for _, code := range codes {
			if got := <-s.came; got != want {
				t.Errorf("it was given %q, want %q", got, want)
			}
			s.answer <- code
		}
	}
	give("one", "PUT Bearer s3cret soc one", 500, 503, 404, 302, 204)
	for until := x.asked.Load() + 5; x.asked.Load() < until; runtime.Gosched() { // a few rounds, in which there is nothing new
		select {
		case got := <-s.came:
			t.Fatalf("it was given again %q", got)
		default:
		}
	}
	give("two", "PUT Bearer s3cret soc two", 201)
	if err := os.WriteFile(token, []byte("other"), 0o600); err != nil {
		t.Fatal(err)
	}
	give("three", "PUT Bearer other soc three", 500, 200)
	give("four", "PUT Bearer other soc four")
	if got := <-s.came; got != "PUT Bearer other soc four" {
		t.Errorf("it was given %q", got)
	}
	x.end() // while the other side has not answered
	if n := testutil.ToFloat64(x.metrics.Failures); n != 5 {
		t.Errorf("%v failures", n)
	}
	if at := testutil.ToFloat64(x.metrics.Success); at != 1_700_000_000 {
		t.Errorf("last at %v", at)
	}
	said := x.said.String()
	if strings.Count(said, "does not take checkpoints") != 2 || strings.Count(said, "checkpoints of the audit log again") != 2 || !strings.Contains(said, "500 Internal Server Error") ||
		strings.Contains(said, "hunter2") || strings.Contains(said, "s3cret") {
		t.Errorf("it is said:\n%s", said)
	}
}

// TestAnAnchorThatDoesNotAnswer: whoever takes a connection and says nothing, or half of an answer, is given up after a while, and one that is
// waited for holds up no end.
func TestAnAnchorThatDoesNotAnswer(t *testing.T) {
	t.Parallel()
	for name, says := range map[string]string{"nothing": "", "half of a head": "HTTP/1.1 200 O", "half of a body": "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nwel"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ln, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			came := make(chan struct{})
			var open []net.Conn
			ended := make(chan struct{})
			go func() {
				defer close(ended)
				for {
					c, err := ln.Accept()
					if err != nil {
						return
					}
					open = append(open, c) // and never closed: it is half open
					if _, err := http.ReadRequest(bufio.NewReader(c)); err != nil {
						t.Error(err)
					}
					if _, err := io.WriteString(c, says); err != nil {
						t.Error(err)
					}
					came <- struct{}{}
				}
			}()
			x := anchorTo(t, AnchorURL{URL: "http://" + ln.Addr().String(), Method: http.MethodPost}.Keeper(), 100*time.Millisecond)
			x.newest.Store("one")
			for range 3 {
				<-came // it comes again once it has given up
			}
			x.end()
			if n := testutil.ToFloat64(x.metrics.Failures); n < 2 {
				t.Errorf("%v failures", n)
			}
			if said := x.said.String(); strings.Count(said, "\n") != 1 || !strings.Contains(said, "it did not answer within 100ms") {
				t.Errorf("it is said:\n%s", said)
			}
			if err := ln.Close(); err != nil {
				t.Error(err)
			}
			for done := false; !done; {
				select {
				case <-came: // one that was accepted before the end
				case <-ended:
					done = true
				}
			}
			for _, c := range open {
				_ = c.Close() // the other side has left
			}
		})
	}
}

// TestWhatIsWaitedForEnds: an anchor that is asked for an hour is let go of at once.
func TestWhatIsWaitedForEnds(t *testing.T) {
	t.Parallel()
	asked := make(chan struct{})
	x := anchorTo(t, func(ctx context.Context, _ string) error {
		close(asked)
		<-ctx.Done()
		return ctx.Err()
	}, time.Hour)
	x.newest.Store("one")
	<-asked
	x.end()
	if n := testutil.ToFloat64(x.metrics.Failures); n != 0 || x.said.Len() != 0 {
		t.Errorf("the end is %v failures: %s", n, x.said.String())
	}
}

// TestATokenThatIsNone: nothing is sent without the token that is wanted.
func TestATokenThatIsNone(t *testing.T) {
	t.Parallel()
	empty := filepath.Join(t.TempDir(), "token")
	for _, content := range []string{"", "a\nb"} {
		if err := os.WriteFile(empty, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := (AnchorURL{URL: "http://127.0.0.1:1", Method: http.MethodPut, TokenFile: empty}).Keeper()(t.Context(), "x"); err == nil || !strings.Contains(err.Error(), "no one line with a token") {
			t.Errorf("%q: %v", content, err)
		}
	}
	if err := (AnchorURL{URL: "http://127.0.0.1:1", Method: http.MethodPut, TokenFile: empty + "x"}).Keeper()(t.Context(), "x"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
}

// TestAnAddressIsNotRepeated: what cannot be reached is said without the address, whose path may be a secret.
func TestAnAddressIsNotRepeated(t *testing.T) {
	t.Parallel()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := ln.Close(); err != nil { // nobody is there
		t.Fatal(err)
	}
	err = AnchorURL{URL: "http://" + ln.Addr().String() + "/hunter2", Method: http.MethodPut}.Keeper()(t.Context(), "x")
	if err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("%v", err)
	}
}

// TestAFileHasAllCheckpoints: they are appended, and what is read last is what was given last, whatever a crash has left before it.
func TestAFileHasAllCheckpoints(t *testing.T) {
	t.Parallel()
	l := newAuditLog(t)
	a := l.auditor(t, newSecret(t))
	name := filepath.Join(t.TempDir(), "checkpoints")
	keep := AnchorFile(name)
	var notes []string
	for i := range 3 {
		l.act(t, 1)
		notes = append(notes, sealed(t, a).Note)
		if err := keep(t.Context(), notes[i]); err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile(name)
		if err != nil || proof.LastNote(string(b)) != notes[i] {
			t.Errorf("%v\n%s", err, b)
		}
	}
	b, err := os.ReadFile(name)
	if err != nil || string(b) != strings.Join(notes, "\n") {
		t.Errorf("%v\n%s", err, b)
	}
	if err := os.Truncate(name, int64(len(b)-20)); err != nil {
		t.Fatal(err)
	}
	if err := keep(t.Context(), notes[2]); err != nil {
		t.Fatal(err)
	}
	if b, err = os.ReadFile(name); err != nil || proof.LastNote(string(b)) != notes[2] {
		t.Errorf("after a crash: %v\n%s", err, b)
	}
	for what, path := range map[string]string{"a folder": filepath.Dir(name), "what is in no folder": filepath.Join(name, "x"), "nowhere": filepath.Join(name+".d", "x")} {
		if err := AnchorFile(path)(t.Context(), "x"); err == nil {
			t.Errorf("%s takes it", what)
		}
	}
}
