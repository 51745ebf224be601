// SPDX-License-Identifier: Apache-2.0

package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"tocsin/api/auth"
)

// pace is what a stream's clock has.
type pace struct {
	// heartbeat is how often a stream that has nothing to say says so.
	heartbeat time.Duration
	// slow is how long what comes waits for a client that does not read; write is how long one that is being written does.
	slow, write time.Duration
	// life is how long a stream lasts: who goes on proves anew who they are, and a right that was taken away ends with it.
	life time.Duration
}

var defaultPace = pace{15 * time.Second, 15 * time.Second, 30 * time.Second, 5 * time.Minute}

// message is one server-sent event. One without data sets the id alone.
type message struct {
	id, event string
	data      any
}

// gap says that what comes next does not follow what came before.
type gap struct {
	// Reason is retention: what was asked for is not kept any more; unknown: the log has never come as far as the id says, and
	// begins anew; slow: the client did not read, and the stream ends: its last id says where to go on.
	Reason string `json:"reason" enum:"retention,unknown,slow"`
	// Lost is how many messages of the log were dropped, each of one or more events; 0 if nobody knows.
	Lost uint64 `json:"lost"`
}

var (
	// errSlow says that a client does not read.
	errSlow = errors.New("the client does not read")
	// errOwnBusy says that somebody follows as many streams as one may.
	errOwnBusy = errors.New("too many streams of one principal")
)

// encode writes a message as it travels. JSON has no line end within.
func (m message) encode() ([]byte, error) {
	var b bytes.Buffer
	if m.id != "" {
		b.WriteString("id: " + m.id + "\n")
	}
	if m.data != nil {
		if m.event != "" {
			b.WriteString("event: " + m.event + "\n")
		}
		b.WriteString("data: ")
		enc := json.NewEncoder(&b)
		enc.SetEscapeHTML(false)
		if err := enc.Encode(m.data); err != nil {
			return nil, err
		}
	}
	b.WriteString("\n")
	return b.Bytes(), nil
}

// LiveInput is where a stream goes on.
type LiveInput struct {
	LastEventID string `header:"Last-Event-ID" doc:"id of the last event that came: what follows it comes next"`
	After       string `query:"last_event_id" doc:"Last-Event-ID, for who can set no header"`
}

func (in *LiveInput) after() string {
	if in.LastEventID != "" {
		return in.LastEventID
	}
	return in.After
}

// source makes the messages of a stream and gives each to send, until ctx ends or send fails.
type source func(ctx context.Context, send func(message) error) error

// live answers with a stream; 503 if there are as many as there may be, 429 if as many are theirs who ask.
func (s *server) live(ctx context.Context, src source) (*huma.StreamResponse, error) {
	who := auth.Of(ctx)
	leave, err := s.seats.take(who.Via + " " + who.Name)
	if errors.Is(err, errOwnBusy) {
		p := problem(http.StatusTooManyRequests, fmt.Sprintf("you follow %d streams already, and more may not be one principal's: close one", maxOwn))
		p.Type += "#too-many-streams"
		return nil, huma.ErrorWithHeaders(p, http.Header{"Retry-After": {"5"}})
	}
	if err != nil {
		return nil, unwell(err)
	}
	return &huma.StreamResponse{Body: func(h huma.Context) {
		defer leave()
		w, ok := h.BodyWriter().(http.ResponseWriter)
		if !ok {
			return // the adapter is the one of net/http
		}
		h.SetHeader("Content-Type", "text/event-stream")
		h.SetHeader("X-Accel-Buffering", "no") // a proxy that collects would hold back what is new
		(&lively{pace: s.pace, w: w, flush: http.NewResponseController(w), stop: s.Stop}).run(h.Context(), src)
	}}, nil
}

// lively is one stream of server-sent events.
type lively struct {
	pace
	w     io.Writer
	flush *http.ResponseController
	stop  <-chan struct{}
}

// run writes what a source has until the client goes away or is too slow, the source ends, or the server stops. At most two messages
// are in memory: while one is written, the source waits with the next.
func (l *lively) run(ctx context.Context, src source) {
	ctx, cancel := context.WithCancel(ctx)
	msgs, ended := l.produce(ctx, src)
	defer func() { // the source has ended when the answer has
		cancel()
		drain(ended)
	}()
	beat := time.NewTicker(l.heartbeat)
	defer beat.Stop()
	end := time.NewTimer(l.life)
	defer end.Stop()
	if l.put([]byte(": a stream\n\n")) != nil {
		return
	}
	for {
		var err error
		select {
		case b := <-msgs:
			err = l.put(b)
		case <-beat.C:
			err = l.put([]byte(":\n\n"))
		case <-ctx.Done():
			return
		case <-end.C:
			_ = l.put([]byte(": go on from the last id\n\n")) // its connection ends with it
			return
		case <-l.stop:
			_ = l.put([]byte(": the server stops\n\n")) // its connection ends with it
			return
		case why, ok := <-ended:
			if ok {
				l.end(why)
			}
			return
		}
		if err != nil {
			return
		}
	}
}

// drain waits for a channel to be closed.
func drain(ended <-chan error) {
	for open := true; open; {
		_, open = <-ended
	}
}

// produce runs a source; ended gives why it ended, and is then closed.
func (l *lively) produce(ctx context.Context, src source) (msgs chan []byte, ended chan error) {
	msgs, ended = make(chan []byte), make(chan error, 1)
	go func() {
		defer close(ended)
		ended <- src(ctx, func(m message) error {
			b, err := m.encode()
			if err != nil {
				return err
			}
			t := time.NewTimer(l.slow)
			defer t.Stop()
			select {
			case msgs <- b:
				return nil
			case <-t.C:
				return errSlow
			case <-ctx.Done():
				return ctx.Err()
			}
		})
	}()
	return msgs, ended
}

func (l *lively) put(b []byte) error {
	_ = l.flush.SetWriteDeadline(time.Now().Add(l.write)) // what has none is memory
	if _, err := l.w.Write(b); err != nil {
		return err
	}
	return l.flush.Flush()
}

// end says why a stream ends that the client has not ended.
func (l *lively) end(why error) {
	m := message{event: "error", data: problem(http.StatusServiceUnavailable, "the stream ended: what it reads does not answer")}
	if errors.Is(why, errSlow) {
		m = message{event: "gap", data: gap{Reason: "slow"}}
	}
	if b, err := m.encode(); err == nil {
		_ = l.put(b) // the connection ends with it
	}
}

// eventStream describes an operation that answers with a stream.
func eventStream(op huma.Operation) huma.Operation {
	op.Method = http.MethodGet
	op.Description = strings.TrimSpace(op.Description+" ") + " A stream goes on after `Last-Event-ID`; a `gap` says that something is missing, and why: " +
		"it is no longer kept (`retention`), the id is of another log (`unknown`), or the client did not read for 15 seconds and is dropped (`slow`). " +
		"A comment comes each 15 seconds. 64 streams at a time; further ones are refused with 503 and Retry-After, and those of who follows 16 already with 429."
	op.Responses = map[string]*huma.Response{"200": {
		Description: "OK", Content: map[string]*huma.MediaType{"text/event-stream": {Schema: &huma.Schema{Type: huma.TypeString}}},
	}}
	return op
}
