// SPDX-License-Identifier: Apache-2.0

package alert

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"tocsin/alert/alerttest/lokitest"
	"tocsin/incident"
)

// serveAlertmanager runs a true Alertmanager and returns its address.
func serveAlertmanager(t *testing.T) string {
	t.Helper()
	program := os.Getenv("TOCSIN_TEST_ALERTMANAGER")
	if program == "" {
		t.Skip("TOCSIN_TEST_ALERTMANAGER names no Alertmanager: scripts/with-alertmanager finds one")
	}
	dir := t.TempDir()
	config := filepath.Join(dir, "am.yml")
	if err := os.WriteFile(config, []byte("route: {receiver: none}\nreceivers: [{name: none}]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	_ = l.Close() // it is the Alertmanager's now
	var log bytes.Buffer
	cmd := exec.Command(program, "--config.file="+config, "--storage.path="+dir, "--web.listen-address="+address, "--cluster.listen-address=")
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait() // killed
	})
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	for end := time.Now().Add(30 * time.Second); ; {
		resp, err := client.Get("http://" + address + "/-/ready")
		if err == nil {
			_ = resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return "http://" + address
			}
		}
		if time.Now().After(end) {
			t.Fatalf("it is not ready: %v\n%s", err, &log)
		}
	}
}

// firing returns the alerts that an Alertmanager has active, by alertname.
func firing(t *testing.T, address string) map[string]map[string]string {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Get(address + "/api/v2/alerts?active=true")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var alerts []struct{ Labels, Annotations map[string]string }
	if err := json.NewDecoder(resp.Body).Decode(&alerts); err != nil {
		t.Fatal(err)
	}
	out := make(map[string]map[string]string)
	for _, a := range alerts {
		out[a.Labels["incident_id"]] = a.Labels
		if a.Annotations["summary"] == "" {
			t.Errorf("it has no summary: %v", a.Annotations)
		}
	}
	return out
}

// TestATrueAlertmanager has one alert for an incident, however often it is told, and none when it is over; one replica that is away
// keeps nobody from hearing.
func TestATrueAlertmanager(t *testing.T) {
	t.Parallel()
	address := serveAlertmanager(t)
	r := Receiver{Name: "am", Type: Alertmanager, URLs: []string{"http://127.0.0.1:1", address}}
	m, err := newAlertmanager(r, Config{ExternalURL: "https://tocsin.example.org"})
	if err != nil {
		t.Fatal(err)
	}
	defer m.close()
	item := func(kind Kind) Item {
		v := testIncident(1, 1)
		body, err := Body(Message{Kind: kind, Receiver: "am", Incident: v})
		if err != nil {
			t.Fatal(err)
		}
		return Item{Incident: v.ID, Receiver: "am", Revision: 1, Kind: kind, Body: body}
	}
	place := ""
	for range 2 {
		if place, err = m.sendAt(t.Context(), item(Opened), place); err != nil {
			t.Fatal(err)
		}
	}
	if err := m.resend(t.Context(), []Told{{Body: item(Opened).Body, Place: place}}); err != nil {
		t.Fatal(err)
	}
	on := firing(t, address)
	if l := on[testIncident(1, 1).ID]; len(on) != 1 || l["alertname"] != "shell" || l["severity"] != "high" || l["tactic"] != "execution" || l["entity_kind"] != "user" {
		t.Fatalf("it has %v", on)
	}
	if place, err = m.sendAt(t.Context(), item(Closed), place); err != nil {
		t.Fatal(err)
	}
	if on := firing(t, address); len(on) != 0 {
		t.Errorf("it is over, and still there: %v", on)
	}
	m.urls = []string{"http://127.0.0.1:1" + alertmanagerPath}
	if _, err := m.sendAt(t.Context(), item(Opened), place); err == nil || errors.Is(err, errPermanent) {
		t.Errorf("nobody is there: %v", err)
	}
	m.urls = []string{address + alertmanagerPath}
	if err := m.postTo(t.Context(), m.urls[0], fmt.Appendf(nil, `[{"labels":{}}]`)); err == nil || !errors.Is(err, errPermanent) {
		t.Errorf("an alert without labels: %v", err)
	}
}

// forward is a service that a true Alertmanager answers for.
type forward struct {
	t       *testing.T
	address string
	client  *http.Client
}

func (f *forward) take(w http.ResponseWriter, r *http.Request, body []byte) string {
	resp, err := f.client.Post(f.address+r.URL.Path, r.Header.Get("Content-Type"), bytes.NewReader(body))
	if err != nil {
		f.t.Error(err)
		return ""
	}
	_ = resp.Body.Close()
	w.WriteHeader(resp.StatusCode)
	return ""
}

// TestATrueAlertmanagerLosesNothing though what is before it breaks off its answers, refuses, and says nothing: it has what is open, and
// no more.
func TestATrueAlertmanagerLosesNothing(t *testing.T) {
	t.Parallel()
	address := serveAlertmanager(t)
	script := map[int]string{1: "ambiguous", 2: "500", 3: "half-open", 6: "ambiguous"}
	s := &troubled{t: t, trouble: func(n int) string { return script[n] }}
	s.service = &forward{t, address, &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}}
	before := httptest.NewServer(s)
	defer before.Close()
	m, r := newWatched(nil), Receiver{Name: "a", Type: Alertmanager, URLs: []string{before.URL}}
	for n := range 5 {
		tellOf(t, m.memory, r, testIncident(n, 1), incident.Opened)
		if n < 4 {
			tellOf(t, m.memory, r, testIncident(n, 2), incident.ClosedByPerson)
		}
	}
	m.deliver(t, r, 9)
	if on := firing(t, address); len(on) != 1 || on[testIncident(4, 1).ID] == nil || !m.failed() {
		t.Errorf("it has %v; it had its trouble: %t", on, m.failed())
	}
}

// alertmanagerService is an Alertmanager's API, for troubles: it is told again and again, and what it takes is what is new to it.
type alertmanagerService struct {
	s  *troubled
	on map[string]bool // by incident: whether it fires
}

func newAlertmanagerService(s *troubled) *alertmanagerService {
	return &alertmanagerService{s, make(map[string]bool)}
}

func (f *alertmanagerService) take(w http.ResponseWriter, r *http.Request, body []byte) string {
	var alerts []posted
	if err := json.Unmarshal(body, &alerts); err != nil || r.URL.Path != alertmanagerPath || len(alerts) == 0 {
		return f.s.problem(w, "alertmanager: %v: %s", err, body)
	}
	took := ""
	for _, p := range alerts {
		id := p.Labels["incident_id"]
		ends, err := time.Parse(time.RFC3339Nano, p.EndsAt)
		if err != nil || id == "" || p.Labels["alertname"] == "" {
			return f.s.problem(w, "alertmanager: %v: %+v", err, p)
		}
		on := ends.After(time.Now())
		was, known := f.on[id]
		if known && on && !was {
			return f.s.problem(w, "alertmanager: %s fires again", id)
		}
		if !known || on != was {
			took = id + map[bool]string{true: ":1", false: ":2"}[on]
		}
		f.on[id] = on
	}
	return took
}

// replicas notes the alerts that each replica was posted.
type replicas struct {
	mu    sync.Mutex
	posts []posted
	down  bool
}

func (f *replicas) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	var alerts []posted
	if f.down || r.URL.Path != alertmanagerPath || json.NewDecoder(r.Body).Decode(&alerts) != nil {
		w.WriteHeader(http.StatusBadGateway)
		return
	}
	f.posts = append(f.posts, alerts...)
}

// TestAlertmanagerIsToldAgain while the incident is open, and for five minutes after.
func TestAlertmanagerIsToldAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &replicas{down: true}
		network, stop := lokitest.Serve(f)
		defer stop()
		m, r := &memory{}, Receiver{Name: "a", Type: Alertmanager, URLs: []string{"http://am-0", "http://am-1"}}
		tellOf(t, m, r, testIncident(1, 1), incident.Opened)
		deliverTo(t, m, r, network, time.Minute)
		if m.states()["pending"] != 1 {
			t.Fatalf("nobody took it: %v", m.states())
		}
		f.down = false
		deliverTo(t, m, r, network, 20*time.Minute)
		if n := len(f.posts); n < 2*14 || n > 2*21 {
			t.Errorf("%d posts in 20 minutes to two replicas", n)
		}
		later := testIncident(1, 2)
		later.Entities = append([]incident.Entity{{Type: "pod", Name: "shop/web"}}, later.Entities...)
		tellOf(t, m, r, later, incident.ClosedByPerson)
		before := len(f.posts)
		deliverTo(t, m, r, network, time.Minute)
		ended, err := time.Parse(time.RFC3339Nano, f.posts[before].EndsAt)
		if err != nil || ended.After(time.Now()) {
			t.Errorf("it ends at %v, %v", ended, err)
		}
		for _, p := range f.posts {
			if diff := cmp.Diff(f.posts[0].Labels, p.Labels); diff != "" {
				t.Fatalf("the labels changed:\n%s", diff)
			}
		}
		if l := f.posts[0].Labels; l["alertname"] != "shell" || l["entity_kind"] != "user" || l["tactic"] != "execution" {
			t.Errorf("labels %v", l)
		}
	})
}
