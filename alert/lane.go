// SPDX-License-Identifier: Apache-2.0

package alert

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"time"
)

// claimed is an Item in the hands of this process, until its claim is over.
type claimed struct {
	Item
	until time.Time
}

// lane delivers to one receiver, one alert after the other. After a failure the whole lane waits: what
// one alert could not reach another would not.
type lane struct {
	d      *Deliverer
	name   string
	sender sender
	// inOrder says that the outbox hands out one alert at a time.
	inOrder bool
	wake    chan struct{}
	// fails counts failures in a row, failed is the last one. Only run uses them.
	fails  int
	failed error
	// took says that the receiver took the last item.
	took bool

	mu    sync.Mutex
	queue []claimed
}

// offer adds an item, or replaces an older claim of it. It reports false if the lane is full.
func (l *lane) offer(c claimed) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	defer signal(l.wake)
	for i := range l.queue {
		if l.queue[i].ID == c.ID {
			l.queue[i] = c
			return true
		}
	}
	if len(l.queue) >= laneSize {
		return false
	}
	l.queue = append(l.queue, c)
	return true
}

// signal wakes whoever waits for c, now or later.
func signal(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// take returns the next item whose claim outlasts an attempt. The others are somebody's again.
func (l *lane) take() (Item, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for len(l.queue) > 0 {
		c := l.queue[0]
		l.queue = l.queue[1:]
		if time.Until(c.until) > noteTimeout+timeout { // to look at its incident, and to send it
			return c.Item, true
		}
	}
	return Item{}, false
}

func (l *lane) run(ctx context.Context) {
	defer l.giveBack()
	for ctx.Err() == nil {
		it, ok := l.take()
		if !ok {
			select {
			case <-ctx.Done():
			case <-l.wake:
			}
			continue
		}
		l.took = false
		wait := l.deliver(ctx, it)
		if limit := l.d.rates[l.name]; limit != nil && l.took && !pause(ctx, limit.Reserve().Delay()) {
			return
		}
		if l.inOrder {
			signal(l.d.more) // the next one can be had
		}
		if wait > 0 && !l.rest(ctx, wait) {
			return
		}
	}
}

// rest leaves the receiver alone for a while, and gives up what comes meanwhile and is too old to be tried on. It reports
// false if ctx ended.
func (l *lane) rest(ctx context.Context, wait time.Duration) bool {
	t := time.NewTimer(wait)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return false
		case <-t.C:
			return true
		case <-l.wake:
			l.expire(ctx, l.failed)
		}
	}
}

// deliver makes one attempt, notes how it went, and returns how long the receiver is left alone. An
// attempt under way ends in its own time while the program stops.
func (l *lane) deliver(ctx context.Context, it Item) time.Duration {
	d := l.d
	asked, done := context.WithTimeout(context.WithoutCancel(ctx), noteTimeout)
	told, err := d.admit(asked, &it)
	done()
	if !told && err == nil {
		return 0
	}
	if err != nil {
		// It is the store that failed, not the receiver: the item is claimed again when its claim is over, or put back.
		d.log.Error("outbox", "receiver", it.Receiver, "incident", it.Incident, "err", err)
		d.note(ctx, it, func(ctx context.Context) error { return d.outbox.PutOff(ctx, it, noteTimeout, err.Error()) })
		return 0
	}
	timed, cancel := context.WithTimeout(context.WithoutCancel(ctx), timeout)
	place, err := l.send(timed, it)
	cancel()
	if err == nil {
		if d.Told != nil {
			d.Told()
		}
		l.fails, l.took = 0, true
		d.note(ctx, it, func(ctx context.Context) error {
			if t, ok := l.told(it, place); ok {
				return d.outbox.Keep(ctx, it, t)
			}
			return d.outbox.Sent(ctx, it)
		})
		d.delivered.WithLabelValues(it.Receiver, "sent").Inc()
		d.seconds.WithLabelValues(it.Receiver).Observe(max(time.Since(it.Created), 0).Seconds())
		return 0
	}
	if errors.Is(err, errPermanent) {
		l.fails = 0 // it answered
		d.giveUp(ctx, it, err)
		return 0
	}
	l.fails++
	l.failed = err
	wait := delay(l.fails, err)
	if it.Age > maxAge {
		d.giveUp(ctx, it, err)
	} else {
		// An alert that fails where others do not must not be the first again each time.
		after := max(wait, backoff(it.Attempt, rand.Float64()))
		d.log.Warn("alert waits", "receiver", it.Receiver, "incident", it.Incident, "attempt", it.Attempt, "after", after, "err", err)
		d.note(ctx, it, func(ctx context.Context) error { return d.outbox.Retry(ctx, it, after, err.Error()) })
		d.delivered.WithLabelValues(it.Receiver, "retry").Inc()
	}
	l.expire(ctx, err)
	return wait
}

// send makes one attempt; a sender that threads learns where the incident is.
func (l *lane) send(ctx context.Context, it Item) (place string, err error) {
	t, ok := l.sender.(threader)
	if !ok {
		return "", l.sender.send(ctx, it)
	}
	if place, err = l.d.outbox.Place(ctx, it.Incident, it.Receiver); err != nil {
		return "", err
	}
	return t.sendAt(ctx, it, place)
}

// expire gives up what waits behind a failure and is too old to be tried on. What was silenced was not tried yet.
func (l *lane) expire(ctx context.Context, err error) {
	l.mu.Lock()
	var old []Item
	kept := l.queue[:0]
	for _, c := range l.queue {
		if c.Age > maxAge && c.SilencedBy == "" {
			old = append(old, c.Item)
		} else {
			kept = append(kept, c)
		}
	}
	l.queue = kept
	l.mu.Unlock()
	for _, it := range old {
		l.d.giveUp(ctx, it, err)
	}
	if l.inOrder && len(old) > 0 {
		signal(l.d.more)
	}
}

// giveBack puts what was only claimed back into the outbox, for whoever comes next. What a store
// that does not answer keeps of it comes back when the claims are over.
func (l *lane) giveBack() {
	l.mu.Lock()
	defer l.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), noteTimeout)
	defer cancel()
	for _, c := range l.queue {
		if err := l.d.outbox.PutOff(ctx, c.Item, 0, "the program stopped"); err != nil {
			l.d.log.Error("outbox", "receiver", l.name, "err", err)
			return
		}
		l.d.delivered.WithLabelValues(l.name, "stopped").Inc()
	}
}
