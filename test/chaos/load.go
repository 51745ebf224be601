// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strconv"
	"sync"
	"time"
)

// load sends events as several collectors would: in batches out of order, some twice, each until somebody has taken it.
type load struct {
	rng  *rand.Rand
	rate int // events a second
	to   func() []string
	now  func() time.Time
	once bool // none is sent twice

	mu      sync.Mutex
	records [][]byte
	latest  time.Duration // the greatest age of an event when it was taken
}

// record makes the nth event.
func (l *load) record(n int, at time.Time) []byte {
	r := l.rng
	user := r.IntN(40)
	e := map[string]any{
		"event.id": strconv.Itoa(n), "@timestamp": at.UTC().Format(time.RFC3339Nano),
		"user.name": fmt.Sprintf("user-%d", user), "source.ip": fmt.Sprintf("203.0.113.%d", user%5),
	}
	switch k := r.IntN(100); {
	case k < 55:
		e["event.action"], e["event.outcome"] = "login", "failure"
		e["country"] = fmt.Sprintf("c%d", r.IntN(3))
	case k < 75:
		e["event.action"], e["event.outcome"] = "login", "success"
		e["country"] = fmt.Sprintf("c%d", r.IntN(12))
	case k < 88:
		e["event.action"], e["bytes"] = "upload", r.IntN(1500)
	default:
		e["event.action"] = "factor"
	}
	b, err := json.Marshal(e)
	if err != nil {
		panic(err) // strings and numbers
	}
	return b
}

// batch is events that travel together.
type batch struct {
	body   []byte
	oldest time.Time
	target int
}

// run sends for so long; it returns when all that it sent was taken.
func (l *load) run(d time.Duration) {
	var waiting []batch
	var wg sync.WaitGroup
	slots := make(chan struct{}, 64)
	start := time.Now()
	n := 0
	for time.Since(start) < d {
		at := l.now()
		size := 1 + l.rng.IntN(20)
		var recs [][]byte
		for i := range size {
			recs = append(recs, l.record(n, at.Add(time.Duration(i)*time.Microsecond)))
			n++
		}
		l.mu.Lock()
		l.records = append(l.records, recs...)
		l.mu.Unlock()
		body := append(bytes.Join(recs, []byte("\n")), '\n')
		copies := 1
		if l.rng.IntN(10) == 0 && !l.once {
			copies = 2
		}
		for range copies {
			waiting = append(waiting, batch{body, at, l.rng.Int()})
		}
		for len(waiting) > 12 { // out of order by some batches
			i := l.rng.IntN(len(waiting))
			l.send(waiting[i], &wg, slots)
			waiting[i] = waiting[len(waiting)-1]
			waiting = waiting[:len(waiting)-1]
		}
		time.Sleep(time.Duration(size) * time.Second / time.Duration(l.rate))
	}
	for _, b := range waiting {
		l.send(b, &wg, slots)
	}
	wg.Wait()
}

// send posts a batch to one replica after the other until one has taken it.
func (l *load) send(b batch, wg *sync.WaitGroup, slots chan struct{}) {
	slots <- struct{}{}
	wg.Go(func() {
		defer func() { <-slots }()
		client := &http.Client{Timeout: 5 * time.Second}
		defer client.CloseIdleConnections()
		for try := 0; ; try++ {
			if to := l.to(); len(to) > 0 {
				resp, err := client.Post("http://"+to[(b.target+try)%len(to)]+"/ingest/vector", "application/x-ndjson", bytes.NewReader(b.body))
				if err == nil {
					_ = resp.Body.Close() // the status says all
					if resp.StatusCode == http.StatusOK {
						l.mu.Lock()
						l.latest = max(l.latest, l.now().Sub(b.oldest))
						l.mu.Unlock()
						return
					}
				}
			}
			time.Sleep(50 * time.Millisecond)
		}
	})
}

// wait waits until all was sent; it gives up when nobody takes it.
func (l *load) wait(sent <-chan struct{}) error {
	select {
	case <-sent:
		return nil
	case <-time.After(2 * time.Minute):
		return errors.New("all is healed and nobody takes the events")
	}
}
