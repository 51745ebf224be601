// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// reader is a client: what is written waits for it to read, and fails when the deadline has passed.
type reader struct {
	mu       sync.Mutex
	deadline time.Time
	reads    chan struct{} // one for each write that is read; nil reads all
	got      strings.Builder
}

func (r *reader) Header() http.Header { return http.Header{} }
func (r *reader) WriteHeader(int)     {}
func (r *reader) Flush()              {}

func (r *reader) SetWriteDeadline(t time.Time) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.deadline = t
	return nil
}

func (r *reader) Write(b []byte) (int, error) {
	r.mu.Lock()
	end := time.Until(r.deadline)
	r.mu.Unlock()
	if r.reads != nil {
		t := time.NewTimer(end)
		defer t.Stop()
		select {
		case <-r.reads:
		case <-t.C:
			return 0, errors.New("deadline")
		}
	}
	r.got.Write(b)
	return len(b), nil
}

// follow runs a stream for a client.
func follow(ctx context.Context, r *reader, stop <-chan struct{}, src source) {
	(&lively{pace: defaultPace, w: r, flush: http.NewResponseController(r), stop: stop}).run(ctx, src)
}

// TestAStreamEndsInTime, however much there is to say: who was allowed to follow when it began may not be any more.
func TestAStreamEndsInTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r, begin := &reader{}, time.Now()
		follow(t.Context(), r, nil, func(ctx context.Context, send func(message) error) error {
			for {
				if err := send(message{id: "1"}); err != nil {
					return err
				}
				select {
				case <-ctx.Done():
					return ctx.Err()
				case <-time.After(time.Second):
				}
			}
		})
		if took := time.Since(begin); took != 5*time.Minute || !strings.HasSuffix(r.got.String(), ": go on from the last id\n\n") {
			t.Errorf("it lasted %s and ended with %.40q", took, r.got.String()[max(r.got.Len()-40, 0):])
		}
	})
}

func TestAStreamBeatsAndEndsWithTheServer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r, stop := &reader{}, make(chan struct{})
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			follow(t.Context(), r, stop, func(ctx context.Context, send func(message) error) error {
				if err := send(message{"1.1", "event", map[string]string{"a": "<b>\n"}}); err != nil {
					return err
				}
				<-ctx.Done()
				return ctx.Err()
			})
		}()
		time.Sleep(46 * time.Second)
		close(stop)
		<-ended
		want := ": a stream\n\nid: 1.1\nevent: event\ndata: {\"a\":\"<b>\\n\"}\n\n" + strings.Repeat(":\n\n", 3) + ": the server stops\n\n"
		if r.got.String() != want {
			t.Errorf("%q, want %q", r.got.String(), want)
		}
	})
}

// TestASlowClientIsTold: who does not read is dropped, and if it reads at last the last thing is why.
func TestASlowClientIsTold(t *testing.T) {
	t.Parallel()
	endless := func(_ context.Context, send func(message) error) error {
		for {
			if err := send(message{"1.1", "event", 1}); err != nil {
				return err
			}
		}
	}
	synctest.Test(t, func(t *testing.T) {
		r, over := &reader{reads: make(chan struct{})}, make(chan struct{})
		go func() {
			r.reads <- struct{}{} // the first line
			time.Sleep(20 * time.Second)
			for {
				select {
				case r.reads <- struct{}{}: // what was being written, and why it was the last
				case <-over:
					return
				}
			}
		}()
		follow(t.Context(), r, nil, endless)
		close(over)
		if got := r.got.String(); !strings.HasSuffix(got, "event: gap\ndata: {\"reason\":\"slow\",\"lost\":0}\n\n") {
			t.Errorf("a slow client is told %q", got)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		begun := time.Now()
		follow(t.Context(), &reader{reads: make(chan struct{})}, nil, endless) // it never reads
		if took := time.Since(begun); took > time.Minute {
			t.Errorf("a dead client is dropped after %s", took)
		}
	})
}

// TestAStreamSaysThatItsSourceFailed, and no client is cut off without a word.
func TestAStreamSaysThatItsSourceFailed(t *testing.T) {
	t.Parallel()
	r := &reader{}
	follow(t.Context(), r, nil, func(context.Context, func(message) error) error { return errors.New("hunter2") })
	if got := r.got.String(); !strings.Contains(got, "event: error\n") || !strings.Contains(got, `"status":503`) || strings.Contains(got, "hunter2") {
		t.Error(got)
	}
}

func FuzzPlace(f *testing.F) {
	f.Add("7.0")
	f.Add("9223372036854775807.1")
	f.Add("-1.+1")
	f.Fuzz(func(t *testing.T, text string) {
		p, err := parsePlace(text)
		if err != nil {
			return
		}
		if again, err := parsePlace(p.String()); err != nil || *again != *p {
			t.Errorf("%q is %v, and that is %v, %v", text, p, again, err)
		}
	})
}
