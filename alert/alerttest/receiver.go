// SPDX-License-Identifier: Apache-2.0

// Package alerttest has a webhook receiver for tests. It checks what it gets as a stranger would who
// has read Standard Webhooks and CloudEvents and not this program's source: it shares no code with
// package alert.
//
// What is wrong with a delivery is an error of the test, at once, and an answer of 400.
package alerttest

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// Delivery is one request that was in order.
type Delivery struct {
	// Key is the webhook-id, the idempotency key.
	Key  string
	Type string
	// Subject is the id of the incident.
	Subject string
	Body    []byte
	At      time.Time
}

// Answer is what the receiver says to a delivery; a Status of 0 is 204.
type Answer struct {
	Status     int
	RetryAfter string
	Body       string
}

// Receiver is an HTTP server that takes webhooks.
type Receiver struct {
	URL string

	t       testing.TB
	secrets []string
	answer  func(n int, d Delivery) Answer

	mu   sync.Mutex
	got  []Delivery
	came chan struct{} // closed and replaced at each delivery
}

// New starts a receiver that ends with the test. A delivery must have a signature under each of the
// secrets, in order, and no other. answer says what the nth delivery (from 1) is answered; nil takes all.
func New(t testing.TB, answer func(n int, d Delivery) Answer, secrets ...string) *Receiver {
	t.Helper()
	r := &Receiver{t: t, secrets: secrets, answer: answer, came: make(chan struct{})}
	s := httptest.NewServer(r)
	t.Cleanup(s.Close)
	r.URL = s.URL
	return r
}

// Deliveries returns what came so far, whatever was answered.
func (r *Receiver) Deliveries() []Delivery {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]Delivery(nil), r.got...)
}

// Wait returns the deliveries once there are n, and ends the test if there are not within d.
func (r *Receiver) Wait(n int, d time.Duration) []Delivery {
	r.t.Helper()
	end := time.After(d)
	for {
		r.mu.Lock()
		came, have := r.came, len(r.got)
		r.mu.Unlock()
		if have >= n {
			return r.Deliveries()
		}
		select {
		case <-came:
		case <-end:
			r.t.Fatalf("%d deliveries within %v, want %d", have, d, n)
		}
	}
}

// ServeHTTP takes one delivery.
func (r *Receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return // the sender went away
	}
	d, err := r.check(req, body)
	if err != nil {
		r.t.Errorf("webhook delivery: %v", err)
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	r.mu.Lock()
	r.got = append(r.got, d)
	n := len(r.got)
	close(r.came)
	r.came = make(chan struct{})
	r.mu.Unlock()
	var a Answer
	if r.answer != nil {
		a = r.answer(n, d)
	}
	if a.Status == 0 {
		a.Status = http.StatusNoContent
	}
	if a.RetryAfter != "" {
		w.Header().Set("Retry-After", a.RetryAfter)
	}
	w.WriteHeader(a.Status)
	_, _ = io.WriteString(w, a.Body) // a 204 has none
}

func (r *Receiver) check(req *http.Request, body []byte) (Delivery, error) {
	d := Delivery{Key: req.Header.Get("webhook-id"), Body: body}
	if req.Method != http.MethodPost {
		return d, fmt.Errorf("method %s", req.Method)
	}
	if media, _, err := mime.ParseMediaType(req.Header.Get("Content-Type")); err != nil || media != "application/cloudevents+json" {
		return d, fmt.Errorf("content type %q", req.Header.Get("Content-Type"))
	}
	if d.Key == "" || strings.Contains(d.Key, ".") {
		return d, fmt.Errorf("webhook-id %q", d.Key)
	}
	stamp := req.Header.Get("webhook-timestamp")
	sec, err := strconv.ParseInt(stamp, 10, 64)
	if err != nil {
		return d, fmt.Errorf("webhook-timestamp: %w", err)
	}
	d.At = time.Unix(sec, 0)
	var want []string
	for _, s := range r.secrets {
		key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(s, "whsec_"))
		if err != nil {
			return d, fmt.Errorf("the test's secret: %w", err)
		}
		mac := hmac.New(sha256.New, key)
		fmt.Fprintf(mac, "%s.%s.%s", d.Key, stamp, body)
		want = append(want, "v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil)))
	}
	if got := req.Header.Get("webhook-signature"); got != strings.Join(want, " ") {
		return d, fmt.Errorf("webhook-signature %q, want %q", got, strings.Join(want, " "))
	}
	var ce struct {
		SpecVersion     string    `json:"specversion"`
		ID              string    `json:"id"`
		Source          string    `json:"source"`
		Type            string    `json:"type"`
		Subject         string    `json:"subject"`
		Time            time.Time `json:"time"`
		DataContentType string    `json:"datacontenttype"`
		Data            struct {
			ID string `json:"id"`
		} `json:"data"`
	}
	if err := json.Unmarshal(body, &ce); err != nil {
		return d, fmt.Errorf("body: %w", err)
	}
	d.Type, d.Subject = ce.Type, ce.Subject
	switch {
	case ce.SpecVersion != "1.0" || ce.Source == "" || ce.Time.IsZero() || ce.DataContentType != "application/json":
		return d, fmt.Errorf("not a CloudEvent: %s", body)
	case ce.ID != d.Key:
		return d, fmt.Errorf("event id %q is not the webhook-id %q", ce.ID, d.Key)
	case ce.Subject == "" || ce.Subject != ce.Data.ID:
		return d, fmt.Errorf("subject %q of incident %q", ce.Subject, ce.Data.ID)
	}
	return d, nil
}
