// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"time"
)

// receiver is where alerts go.
type receiver struct {
	*httptest.Server

	mu    sync.Mutex
	told  map[string]int // by incident: how often it heard of it and said so; 0 if it was too bad to say so
	mood  string         // how it is bad, "" if it is not
	again chan struct{}  // closed when it is good again
}

// moods are how a receiver can be bad.
var moods = []string{"answer 500", "answer 429", "hang", "hang up"}

func newReceiver() *receiver {
	r := &receiver{told: make(map[string]int)}
	r.Server = httptest.NewServer(http.HandlerFunc(r.hear))
	return r
}

func (r *receiver) hear(w http.ResponseWriter, req *http.Request) {
	var body struct{ Subject, Type string }
	if json.NewDecoder(req.Body).Decode(&body) != nil {
		return
	}
	r.mu.Lock()
	mood, again := r.mood, r.again
	r.mu.Unlock()
	if mood == "hang" {
		select {
		case <-again:
			mood = ""
		case <-req.Context().Done():
		}
	}
	if strings.Contains(body.Type, "opened") {
		r.mu.Lock()
		n := r.told[body.Subject]
		if mood == "" {
			n++
		}
		r.told[body.Subject] = n
		r.mu.Unlock()
	}
	switch mood {
	case "answer 500":
		w.WriteHeader(http.StatusInternalServerError)
	case "answer 429":
		w.Header().Set("Retry-After", "1")
		w.WriteHeader(http.StatusTooManyRequests)
	case "hang", "hang up":
		panic(http.ErrAbortHandler)
	}
}

// turn makes it bad, or good again, for good.
func (r *receiver) turn(mood string) (again chan struct{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.mood, r.again = mood, make(chan struct{})
	return r.again
}

// badFor makes it bad for a time.
func (r *receiver) badFor(mood string, d time.Duration) {
	again := r.turn(mood)
	time.Sleep(d)
	r.mu.Lock()
	if r.again == again { // else it is bad in another way meanwhile
		r.mood = ""
	}
	r.mu.Unlock()
	close(again)
}

// heard reports whether it was told of all incidents that stand, and of none that nobody knows.
func (r *receiver) heard(s *stored) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, v := range s.stand {
		if r.told[v.ID] == 0 {
			return fmt.Errorf("nobody was told of incident %s of %s", v.ID, v.Rule.ID)
		}
	}
	for id := range r.told {
		if _, ok := s.all[id]; !ok {
			return fmt.Errorf("somebody was told of %s, which is no incident", id)
		}
	}
	return nil
}

// grumble draws how the receiver is bad.
func grumble(r *rand.Rand, _ *world) fault {
	mood, d := moods[r.IntN(len(moods))], short(r, 6*time.Second)
	return fault{fmt.Sprintf("have the receiver of alerts %s for %v", mood, d), func(w *world) error {
		w.hook.badFor(mood, d)
		return nil
	}}
}
