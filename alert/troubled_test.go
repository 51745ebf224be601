// SPDX-License-Identifier: Apache-2.0

package alert

import (
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	gomail "github.com/wneessen/go-mail"

	"github.com/prometheus/client_golang/prometheus"

	"tocsin/alert/alerttest/lokitest"
	"tocsin/event"
	"tocsin/incident"
)

// service is the far end of a receiver as its documentation has it: it says no to what the true one would say no to.
type service interface {
	// take answers a request, and returns what it took: the incident and the rest of the idempotency key.
	take(w http.ResponseWriter, r *http.Request, body []byte) (took string)
}

// troubled is a far end that has troubles before it answers well.
type troubled struct {
	t *testing.T
	service
	mu       sync.Mutex
	requests int
	took     []string
	trouble  func(n int) string
}

// next counts a request, and says what happens to it.
func (s *troubled) next() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests++
	return s.trouble(s.requests)
}

// note keeps what was taken.
func (s *troubled) note(took string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if took != "" {
		s.took = append(s.took, took)
	}
}

func (s *troubled) all() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.took)
}

func (s *troubled) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	what := s.next()
	switch what {
	case "429":
		w.Header().Set("Retry-After", "7")
		w.WriteHeader(http.StatusTooManyRequests)
		return
	case "500":
		w.WriteHeader(http.StatusInternalServerError)
		return
	case "redirect", "login page":
		if what == "redirect" {
			w.WriteHeader(http.StatusFound)
		}
		_, _ = io.WriteString(w, "<html>log in</html>")
		return
	case "half-open": // nobody ever answers
		<-r.Context().Done()
		return
	case "slow":
		time.Sleep(5 * time.Second) // of the bubble's time
	}
	s.note(s.take(w, r, body))
	if what == "ambiguous" { // it was taken, and nobody hears so
		panic(http.ErrAbortHandler)
	}
}

// problem answers with an error, and fails the test: what we send is always in order.
func (s *troubled) problem(w http.ResponseWriter, format string, args ...any) string {
	s.t.Helper()
	s.t.Errorf(format, args...)
	w.WriteHeader(http.StatusBadRequest)
	return ""
}

// lead has a sender's connections lead into a network, until they are let go of.
func lead(s sender, n *lokitest.Network) (letGo func()) {
	transport := &http.Transport{DialContext: n.DialContext, DialTLSContext: n.DialContext}
	switch s := s.(type) {
	case *slack:
		s.client.Transport = transport
	case *pagerDuty:
		s.client.Transport = transport
	case *alertmanager:
		s.client.Transport = transport
	case *webhook:
		s.client.Transport = transport
	case *loki:
		s.client.Transport = transport
	case *shoutrrr:
		s.client.Transport = transport
	case *email:
		s.options = append(s.options, gomail.WithDialContextFunc(n.DialContext))
	}
	return transport.CloseIdleConnections
}

// deliverTo runs a process with a receiver whose connections lead into a network, for a span of the bubble's time.
func deliverTo(t *testing.T, m *memory, r Receiver, n *lokitest.Network, span time.Duration) {
	t.Helper()
	c := Config{Receivers: []Receiver{r}, ExternalURL: "https://tocsin.example.org"}
	d, err := NewDeliverer(c, m, io.Discard, slog.New(slog.DiscardHandler), prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	defer lead(d.senders[r.Name], n)()
	runFor(t, d, span)
}

// tellOf puts what became of an incident into the outbox.
func tellOf(t *testing.T, m *memory, r Receiver, v incident.View, became incident.Change) {
	t.Helper()
	router, err := NewRouter(Config{Receivers: []Receiver{r}}, "")
	if err != nil {
		t.Fatal(err)
	}
	as, err := router.Alerts(v, became)
	if err != nil || len(as) != 1 {
		t.Fatalf("%d alerts, %v", len(as), err)
	}
	m.tell(as)
}

// hostile is a title as an attacker would have it.
const hostile = "<!channel> & <http://evil|click>\r\nBcc: all@example.org\x00" + "\u202e"

func testIncident(n int, revision int64) incident.View {
	return incident.View{
		ID: fmt.Sprintf("%032x", n), Revision: revision, Title: hostile + strings.Repeat("x", 3000), Severity: "high", Rule: incident.RuleView{ID: "shell", Title: "Shell"},
		Description: strings.Repeat("&<>", 2000), Runbook: "look", FirstEvent: event.Stamp(time.Now().UnixNano()), EventCount: 3, DetectionCount: 1,
		Entities: []incident.Entity{{Type: "user", Name: hostile}}, Sources: []string{"falco"}, Status: incident.New,
		Attack: incident.AttackView{Tactics: []string{"execution"}, Techniques: []string{"T1059"}},
	}
}
