// SPDX-License-Identifier: Apache-2.0

// Package lokitest has a Loki for tests: POST /loki/api/v1/push and what is known of Loki's rules about labels,
// structured metadata and the time of entries. It checks pushes byte for byte, with an encoder and a
// decoder of its own: it shares no code with package alert nor with the push types that alert uses.
//
// What is malformed is an error of the test, at once, and an answer of 400. What Loki would refuse for its time is a
// 400 alone, since a sender may mean to see it.
package lokitest

import (
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"
)

// Answer is a scripted failure.
type Answer struct {
	// Status is answered instead of taking the push.
	Status     int
	RetryAfter string
	Body       string
	// Hang says nothing until the client gives up.
	Hang bool
	// Lost takes the push and breaks the connection instead of answering.
	Lost bool
	// Cut breaks the connection without taking the push.
	Cut bool
}

// Server is a Loki.
type Server struct {
	// Tenant and Authorization are what each push must have as headers; without it the answer is 401.
	Tenant, Authorization string

	t testing.TB

	mu      sync.Mutex
	script  []Answer
	at      []time.Time
	streams streams
	refused []string
}

// New returns a Loki without a listener: it is an [http.Handler].
func New(t testing.TB) *Server {
	return &Server{t: t, streams: streams{newest: make(map[string]time.Time)}}
}

// Start listens until the test ends and returns the address.
func (s *Server) Start() string {
	s.t.Helper()
	h := httptest.NewServer(s)
	s.t.Cleanup(h.Close)
	return h.URL
}

// Script appends failures, one for each push to come. After them pushes are taken.
func (s *Server) Script(answers ...Answer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.script = append(s.script, answers...)
}

// Entries returns what was taken, in that order, each entry once.
func (s *Server) Entries() []Taken {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Taken(nil), s.streams.entries...)
}

// Repeated returns how many entries came that were there already.
func (s *Server) Repeated() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.streams.repeated
}

// Refused returns what was said of entries that Loki does not take because of their time.
func (s *Server) Refused() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.refused...)
}

// Pushes returns when requests came, whatever was answered.
func (s *Server) Pushes() []time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]time.Time(nil), s.at...)
}

// ServeHTTP takes one push.
func (s *Server) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(io.LimitReader(req.Body, maxPush+1))
	if err != nil {
		return // the sender went away
	}
	a := s.next()
	switch {
	case req.Method != http.MethodPost || req.URL.Path != "/loki/api/v1/push":
		s.t.Errorf("%s %s is no push", req.Method, req.URL.Path)
		http.Error(w, "404 page not found", http.StatusNotFound)
		return
	case req.Header.Get("X-Scope-OrgID") != s.Tenant || req.Header.Get("Authorization") != s.Authorization:
		http.Error(w, "no org id", http.StatusUnauthorized)
		return
	case a.Hang:
		<-req.Context().Done()
		return
	case a.Cut:
		panic(http.ErrAbortHandler)
	case a.Status != 0:
		if a.RetryAfter != "" {
			w.Header().Set("Retry-After", a.RetryAfter)
		}
		w.WriteHeader(a.Status)
		_, _ = io.WriteString(w, a.Body)
		return
	}
	p, err := Decode(req.Header.Get("Content-Type"), body)
	if err != nil {
		s.t.Errorf("push: %v", err)
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	err = s.take(p)
	switch {
	case a.Lost:
		panic(http.ErrAbortHandler)
	case err != nil:
		http.Error(w, err.Error(), http.StatusBadRequest)
	default:
		w.WriteHeader(http.StatusNoContent)
	}
}

// next is the script's answer to the next push.
func (s *Server) next() Answer {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.at = append(s.at, time.Now())
	if len(s.script) == 0 {
		return Answer{}
	}
	a := s.script[0]
	s.script = s.script[1:]
	return a
}

func (s *Server) take(p Push) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	err := s.streams.take(p, time.Now())
	if err != nil {
		s.refused = append(s.refused, err.Error())
	}
	return err
}
