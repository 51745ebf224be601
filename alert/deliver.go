// SPDX-License-Identifier: Apache-2.0

package alert

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Limits of delivery.
const (
	claimSize = 32
	// claimFor is how long a claim keeps an Item from others: longer than a batch takes of which every request times out.
	claimFor = 10 * time.Minute
	timeout  = 10 * time.Second
	pollEach = 200 * time.Millisecond
	// maxAge is how long an alert is tried before it is dead.
	maxAge = 24 * time.Hour
	// maxRetryAfter is how long a receiver's Retry-After is honoured for at most.
	maxRetryAfter = time.Hour
)

// errPermanent says that trying again would not help.
var errPermanent = errors.New("refused for good")

// retryLater is an error whose receiver said when to try again.
type retryLater struct {
	after time.Duration
	err   error
}

func (r *retryLater) Error() string { return r.err.Error() }

func (r *retryLater) Unwrap() error { return r.err }

// Item is an alert as the outbox hands it out.
type Item struct {
	ID       int64
	Incident string
	Revision int64
	Receiver string
	Body     []byte
	// Attempt counts the claims of it, this one included.
	Attempt int
	// Age is the time since it came into the outbox.
	Age time.Duration
}

// Key is the item's idempotency key.
func (i Item) Key() string { return Key(i.Incident, i.Receiver, i.Revision) }

// outbox is what the Deliverer needs of the store, and no more.
type outbox interface {
	// Claim takes up to n due items for a while, oldest first.
	Claim(ctx context.Context, n int, lease time.Duration) ([]Item, error)
	Sent(ctx context.Context, it Item) error
	// Retry puts the item back; it is due again after a while.
	Retry(ctx context.Context, it Item, after time.Duration, reason string) error
	// Dead gives the item up.
	Dead(ctx context.Context, it Item, reason string) error
}

// sender delivers to one receiver.
type sender interface {
	send(ctx context.Context, it Item) error
}

// Deliverer takes alerts out of the outbox and sends them until told done.
type Deliverer struct {
	outbox    outbox
	senders   map[string]sender
	log       *slog.Logger
	delivered *prometheus.CounterVec
	// Told is called between a receiver's answer and the outbox's note of it. Nil but in tests.
	Told func()
}

// NewDeliverer returns the deliverer of a valid configuration. Receivers of type stdout write to out.
func NewDeliverer(c Config, o outbox, out io.Writer, log *slog.Logger, reg prometheus.Registerer) (*Deliverer, error) {
	d := &Deliverer{outbox: o, senders: make(map[string]sender), log: log}
	d.delivered = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "tocsin_alert_deliveries_total", Help: "Attempts to deliver alerts, by receiver and outcome.",
	}, []string{"receiver", "outcome"})
	reg.MustRegister(d.delivered)
	var mu sync.Mutex
	for _, r := range c.complete().Receivers {
		if r.Type == Stdout {
			d.senders[r.Name] = printer{mu: &mu, out: out}
			continue
		}
		w, err := newWebhook(r)
		if err != nil {
			return nil, err
		}
		d.senders[r.Name] = w
	}
	return d, nil
}

// Run delivers until ctx ends. Receivers are served side by side: a slow one holds up nobody
// else's alerts for longer than one claim.
func (d *Deliverer) Run(ctx context.Context) error {
	for ctx.Err() == nil {
		items, err := d.outbox.Claim(ctx, claimSize, claimFor)
		if err != nil && ctx.Err() == nil {
			d.log.Error("outbox", "err", err)
		}
		byReceiver := make(map[string][]Item)
		for _, it := range items {
			byReceiver[it.Receiver] = append(byReceiver[it.Receiver], it)
		}
		var wg sync.WaitGroup
		for _, its := range byReceiver {
			wg.Go(func() {
				for _, it := range its {
					d.deliver(ctx, it)
				}
			})
		}
		wg.Wait()
		if len(items) == 0 {
			t := time.NewTimer(pollEach)
			select {
			case <-ctx.Done():
			case <-t.C:
			}
			t.Stop()
		}
	}
	return nil
}

// deliver makes one attempt and notes how it went. What a receiver has taken is noted even while the
// program stops.
func (d *Deliverer) deliver(ctx context.Context, it Item) {
	note := context.WithoutCancel(ctx)
	err := ctx.Err()
	if err == nil {
		err = d.send(note, it)
	}
	if err == nil && d.Told != nil {
		d.Told()
	}
	var failed error
	outcome := "sent"
	switch {
	case err == nil:
		failed = d.outbox.Sent(note, it)
	case errors.Is(err, errPermanent) || it.Age > maxAge:
		outcome = "dead"
		failed = d.outbox.Dead(note, it, err.Error())
		d.log.Error("alert given up", "receiver", it.Receiver, "incident", it.Incident, "err", err)
	case errors.Is(err, context.Canceled) && ctx.Err() != nil:
		failed = d.outbox.Retry(note, it, 0, "the program stopped")
		outcome = "stopped"
	default:
		outcome = "retry"
		after := delay(it.Attempt, err)
		failed = d.outbox.Retry(note, it, after, err.Error())
		d.log.Warn("alert waits", "receiver", it.Receiver, "incident", it.Incident, "attempt", it.Attempt, "after", after, "err", err)
	}
	d.delivered.WithLabelValues(it.Receiver, outcome).Inc()
	if failed != nil {
		d.log.Error("outbox", "receiver", it.Receiver, "incident", it.Incident, "err", failed)
	}
}

func (d *Deliverer) send(ctx context.Context, it Item) error {
	s := d.senders[it.Receiver]
	if s == nil {
		return fmt.Errorf("%w: no receiver %q is configured any more", errPermanent, it.Receiver)
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	return s.send(ctx, it)
}

// delay is the time before the next attempt: what the receiver asked for, else backoff with full jitter.
func delay(attempt int, err error) time.Duration {
	if r, ok := errors.AsType[*retryLater](err); ok && r.after > 0 {
		return min(r.after, maxRetryAfter)
	}
	return backoff(attempt, rand.Float64())
}
