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
// one after the other, and an outcome of an older claim is void.
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
	it := Item{ID: int64(len(m.rows) + 1), Incident: incident, Revision: revision, Receiver: receiver, Body: []byte(`{"id":"` + incident + `"}`)}
	m.rows = append(m.rows, &kept{Item: it, created: time.Now(), state: "pending"})
}

func (m *memory) Claim(_ context.Context, n int, lease time.Duration) ([]Item, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := time.Now()
	var order []*kept
	for _, r := range m.rows {
		if r.state == "pending" && !r.due.After(now) && !r.leased.After(now) {
			order = append(order, r)
		}
	}
	slices.SortStableFunc(order, func(a, b *kept) int { return a.due.Compare(b.due) })
	var out []Item
	for _, r := range order {
		if len(out) == n {
			break
		}
		if slices.ContainsFunc(m.rows, func(e *kept) bool {
			return e.state == "pending" && e.Incident == r.Incident && e.Receiver == r.Receiver && e.ID < r.ID
		}) {
			continue
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
