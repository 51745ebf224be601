// SPDX-License-Identifier: Apache-2.0

package alert

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"
)

// memory is an outbox that keeps the store's promises: claims end, items about one incident to one receiver come
// one after the other, those to a receiver in order whatever the incident, and an outcome of an older claim is void.
type memory struct {
	mu   sync.Mutex
	rows []*kept
	down bool // writes fail
}

type kept struct {
	Item
	created, due, leased time.Time
	state, reason        string
}

func (m *memory) add(incident string, revision int64, receiver string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.put(Item{Incident: incident, Revision: revision, Receiver: receiver, Body: []byte(`{"id":"` + incident + `"}`)})
}

// put adds a row. Like SQLite's, the clock counts milliseconds.
func (m *memory) put(it Item) {
	now := time.Now().Truncate(time.Millisecond)
	it.ID, it.Created = int64(len(m.rows)+1), now
	m.rows = append(m.rows, &kept{Item: it, created: now, state: "pending"})
}

// tell adds what a router made of a change.
func (m *memory) tell(as []Alert) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, a := range as {
		m.put(Item{Incident: a.Incident, Revision: a.Revision, Receiver: a.Receiver, Detection: a.Detection, Body: a.Body})
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
		if !waits && !r.due.After(now) && !r.leased.After(now) {
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
	return m.settle(it, func(r *kept) { r.due, r.reason = time.Now().Add(after), reason })
}

func (m *memory) Dead(_ context.Context, it Item, reason string) error {
	return m.settle(it, func(r *kept) { r.state, r.reason = "dead", reason })
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
