// SPDX-License-Identifier: Apache-2.0

package alert

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"tocsin/incident"
)

// memory is an outbox that keeps the store's promises: claims end, items about one incident to one receiver come
// one after the other, those to a receiver in order whatever the incident, and an outcome of an older claim is void.
type memory struct {
	mu   sync.Mutex
	rows []*kept
	down bool // writes fail
	// behind is how far the store's clock is behind that of the process.
	behind time.Duration
	// looks counts how often the open incidents were read; beforeRewrite is called with the row that is about to be rewritten.
	looks         int
	beforeRewrite func(*kept)

	views    map[string]incident.View
	silences []Silence
	told     map[string]Told
	again    map[string]time.Time
}

type kept struct {
	Item
	created, due, leased time.Time
	state, reason        string
	forGood              bool
	off                  bool // it was put back last without having been tried
}

func (m *memory) add(incident string, revision int64, receiver string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.put(Item{Incident: incident, Revision: revision, Receiver: receiver, Body: []byte(`{"id":"` + incident + `"}`)})
}

// put adds a row. Like SQLite's, the clock counts milliseconds.
func (m *memory) put(it Item) {
	now := time.Now().Truncate(time.Millisecond)
	it.ID, it.Created = int64(len(m.rows)+1), now.Add(-m.behind)
	m.rows = append(m.rows, &kept{Item: it, created: now, state: "pending"})
}

// tell adds what a router made of a change.
func (m *memory) tell(as []Alert) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, a := range as {
		m.put(Item{Incident: a.Incident, Revision: a.Revision, Receiver: a.Receiver, Detection: a.Detection, Kind: a.Kind, Body: a.Body, Terms: a.Terms})
	}
}

// revive makes a dead item pending, as young as a new one.
func (m *memory) revive(id int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	r, now := m.rows[id-1], time.Now().Truncate(time.Millisecond)
	r.state, r.created, r.Created, r.due = "pending", now, now, now
}

// keys returns the idempotency keys of the items in a state, oldest first.
func (m *memory) keys(state string) []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []string
	for _, r := range m.rows {
		if r.state == state {
			out = append(out, r.Key())
		}
	}
	return out
}

func (m *memory) Claim(_ context.Context, n int, lease time.Duration, inOrder ...string) ([]Item, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := time.Now()
	due := func(r *kept) bool { return r.state == "pending" && !r.due.After(now) && !r.leased.After(now) }
	if !slices.ContainsFunc(m.rows, due) {
		return nil, nil // as nearly always in a day of polling
	}
	var order []*kept
	type about struct{ receiver, incident string }
	before := make(map[about]bool) // pending ones to a receiver, and about an incident to it
	for _, r := range m.rows {
		if r.state != "pending" {
			continue
		}
		one, all := about{r.Receiver, r.Incident}, about{receiver: r.Receiver}
		waits := before[one] || before[all] && slices.Contains(inOrder, r.Receiver)
		before[one], before[all] = true, true
		if !waits && due(r) {
			order = append(order, r)
		}
	}
	slices.SortStableFunc(order, func(a, b *kept) int { return a.due.Compare(b.due) })
	var out []Item
	for _, r := range order {
		if len(out) == n {
			break
		}
		r.leased, r.Attempt, r.Age = now.Add(lease), r.Attempt+1, now.Sub(r.created)
		out = append(out, r.Item)
	}
	return out, nil
}

func (m *memory) settle(it Item, change func(*kept)) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.down {
		return errors.New("the store is down")
	}
	if r := m.rows[it.ID-1]; r.Attempt == it.Attempt && r.state == "pending" {
		r.leased = time.Time{}
		change(r)
	}
	return nil
}

func (m *memory) Sent(_ context.Context, it Item) error {
	return m.settle(it, func(r *kept) { r.state = "sent" })
}

func (m *memory) Retry(_ context.Context, it Item, after time.Duration, reason string) error {
	return m.settle(it, func(r *kept) { r.due, r.reason, r.off = time.Now().Add(after), reason, false })
}

func (m *memory) PutOff(_ context.Context, it Item, after time.Duration, reason string) error {
	return m.settle(it, func(r *kept) { r.due, r.reason, r.off = time.Now().Add(after), reason, true })
}

func (m *memory) Dead(_ context.Context, it Item, reason string) error {
	return m.settle(it, func(r *kept) { r.state, r.reason = "dead", reason })
}

func (m *memory) Silence(_ context.Context, it Item, by string, after time.Duration, forGood bool) error {
	return m.settle(it, func(r *kept) {
		r.state, r.SilencedBy, r.due, r.forGood = "silenced", by, time.Now().Add(after), forGood
	})
}

func (m *memory) Wake(context.Context, ...string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, r := range m.rows {
		source, held := strings.CutPrefix(r.SilencedBy, HeldBackBy)
		v, open := m.views[source]
		if r.state == "silenced" && !r.forGood && (!r.due.After(time.Now()) || held && (!open || isOver(v))) {
			r.state, r.due = "pending", time.Now()
		}
	}
	return nil
}

func (m *memory) Rewrite(_ context.Context, it Item, body []byte, t Terms) (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	r := m.rows[it.ID-1]
	if m.beforeRewrite != nil {
		m.beforeRewrite(r)
	}
	if r.Attempt != it.Attempt || r.state != "pending" {
		return false, nil
	}
	if r.SilencedBy != "" {
		r.created = time.Now().Truncate(time.Millisecond)
		r.Created = r.created
	}
	r.Body, r.Terms, r.SilencedBy = body, t, ""
	return true, nil
}

func (m *memory) Heard(_ context.Context, incident, receiver string) (heard, hushed bool, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, r := range m.rows {
		if r.Incident == incident && r.Receiver == receiver {
			heard, hushed = heard || r.state == "sent", hushed || r.state == "silenced"
		}
	}
	return heard, hushed, nil
}

func (m *memory) Incident(_ context.Context, id string) (incident.View, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if v, ok := m.views[id]; ok {
		return v, nil
	}
	return incident.View{}, incident.ErrNotFound
}

func (m *memory) Open(context.Context, int) ([]incident.View, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.looks++
	var out []incident.View
	for _, v := range m.views {
		if !isOver(v) && !v.Shadow {
			out = append(out, v)
		}
	}
	return out, nil
}

func (m *memory) Silences(context.Context) ([]Silence, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []Silence
	for _, s := range m.silences {
		if s.Ends.After(time.Now()) {
			out = append(out, s)
		}
	}
	return out, nil
}

func (m *memory) Keep(ctx context.Context, it Item, t Told) error {
	if err := m.Sent(ctx, it); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.told == nil {
		m.told = make(map[string]Told)
	}
	m.told[it.Incident+it.Receiver] = t
	if m.again == nil {
		m.again = make(map[string]time.Time)
	}
	m.again[it.Incident+it.Receiver] = time.Now().Add(t.Again)
	return nil
}

func (m *memory) Place(_ context.Context, incident, receiver string) (string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.told[incident+receiver].Place, nil
}

func (m *memory) Again(_ context.Context, receiver string, n int) ([]Told, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []Told
	for key, t := range m.told {
		if t.Receiver == receiver && t.Again > 0 && !m.again[key].After(time.Now()) && len(out) < n {
			m.again[key] = time.Now().Add(t.Again)
			out = append(out, t)
		}
	}
	return out, nil
}

// states returns how many items are in each state.
func (m *memory) states() map[string]int {
	m.mu.Lock()
	defer m.mu.Unlock()
	out := make(map[string]int)
	for _, r := range m.rows {
		out[r.state]++
	}
	return out
}

// person is a receiver whose answers a test decides; it keeps what came, and when.
type person struct {
	mu     sync.Mutex
	got    []string
	at     []time.Duration
	start  time.Time
	answer func(n int, it Item) error
	slow   time.Duration
}

func (p *person) send(ctx context.Context, it Item) error {
	if p.slow > 0 {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(p.slow):
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.got, p.at = append(p.got, it.Key()), append(p.at, time.Since(p.start))
	if p.answer != nil {
		return p.answer(len(p.got), it)
	}
	return nil
}
