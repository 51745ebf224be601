// SPDX-License-Identifier: Apache-2.0

package alert

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Limits of delivery.
const (
	claimSize = 32
	// claimFor is how long a claim keeps an Item from others: so long does an alert wait that a killed replica had.
	claimFor = 2 * time.Minute
	// laneSize is how many claimed alerts wait for one receiver; those beyond wait in the outbox for crowded.
	laneSize    = 128
	crowded     = time.Minute
	noteTimeout = 5 * time.Second
	timeout     = 10 * time.Second
	pollEach    = 200 * time.Millisecond
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
	// Detection is the one that it is about, "" if it is about the incident.
	Detection string
	Body      []byte
	// Created is when it came into the outbox, by the store's clock. It is the same at every attempt.
	Created time.Time
	// Attempt counts the claims of it, this one included.
	Attempt int
	// Age is the time since it came into the outbox.
	Age time.Duration
}

// Key is the item's idempotency key.
func (i Item) Key() string { return detectionKey(i.Incident, i.Receiver, i.Revision, i.Detection) }

// outbox is what the Deliverer needs of the store, and no more.
type outbox interface {
	// Claim takes up to n due items for a while, oldest first. Of receivers that are in order it takes none but
	// the oldest item, and that only if it is due: what waits for a retry is overtaken by nothing.
	Claim(ctx context.Context, n int, lease time.Duration, inOrder ...string) ([]Item, error)
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
	outbox  outbox
	senders map[string]sender
	// inOrder are the receivers that take one alert after the other, whatever the incident.
	inOrder []string
	// more asks for a claim at once.
	more      chan struct{}
	log       *slog.Logger
	delivered *prometheus.CounterVec
	// Told is called between a receiver's answer and the outbox's note of it. Nil but in tests.
	Told func()
}

// NewDeliverer returns the deliverer of a valid configuration. Receivers of type stdout write to out.
func NewDeliverer(c Config, o outbox, out io.Writer, log *slog.Logger, reg prometheus.Registerer) (*Deliverer, error) {
	d := &Deliverer{outbox: o, senders: make(map[string]sender), more: make(chan struct{}, 1), log: log}
	d.delivered = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "tocsin_alert_deliveries_total", Help: "Attempts to deliver alerts, by receiver and outcome.",
	}, []string{"receiver", "outcome"})
	reg.MustRegister(d.delivered)
	var mu sync.Mutex
	for _, r := range c.complete().Receivers {
		var s sender
		var err error
		switch r.Type {
		case Stdout:
			s = printer{mu: &mu, out: out}
		case Loki:
			s, err = newLoki(r)
			d.inOrder = append(d.inOrder, r.Name)
		default:
			s, err = newWebhook(r)
		}
		if err != nil {
			return nil, err
		}
		d.senders[r.Name] = s
	}
	return d, nil
}

// Run delivers until ctx ends. Each receiver has a lane of its own, so that one that is slow or down
// holds up nobody else's alerts.
func (d *Deliverer) Run(ctx context.Context) error {
	var wg sync.WaitGroup
	defer wg.Wait()
	lanes := make(map[string]*lane, len(d.senders))
	for name, s := range d.senders {
		l := &lane{d: d, name: name, sender: s, inOrder: slices.Contains(d.inOrder, name), wake: make(chan struct{}, 1)}
		lanes[name] = l
		wg.Go(func() { l.run(ctx) })
	}
	for ctx.Err() == nil {
		until := time.Now().Add(claimFor)
		items, err := d.outbox.Claim(ctx, claimSize, claimFor, d.inOrder...)
		if err != nil && ctx.Err() == nil {
			d.log.Error("outbox", "err", err)
		}
		for _, it := range items {
			l := lanes[it.Receiver]
			switch {
			case l == nil:
				d.stray(ctx, it)
			case !l.offer(claimed{it, until}):
				d.note(ctx, it, func(ctx context.Context) error {
					return d.outbox.Retry(ctx, it, crowded, "many alerts to this receiver wait before it")
				})
			}
		}
		if len(items) < claimSize {
			d.poll(ctx)
		}
	}
	return nil
}

// poll waits until it is time for the next claim.
func (d *Deliverer) poll(ctx context.Context) {
	t := time.NewTimer(pollEach)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	case <-d.more:
	}
}

// stray puts off an alert to a receiver that this process does not know. While replicas are replaced it may
// be another one's, with a newer configuration: it is given up by age only.
func (d *Deliverer) stray(ctx context.Context, it Item) {
	reason := fmt.Sprintf("no receiver %q is configured", it.Receiver)
	if it.Age > maxAge {
		d.giveUp(ctx, it, errors.New(reason))
		return
	}
	d.note(ctx, it, func(ctx context.Context) error { return d.outbox.Retry(ctx, it, maxDelay, reason) })
}

// giveUp makes an alert dead.
func (d *Deliverer) giveUp(ctx context.Context, it Item, err error) {
	d.log.Error("alert given up", "receiver", it.Receiver, "incident", it.Incident, "err", err)
	d.note(ctx, it, func(ctx context.Context) error { return d.outbox.Dead(ctx, it, err.Error()) })
	d.delivered.WithLabelValues(it.Receiver, "dead").Inc()
}

// note writes an outcome down, again and again while the store is away: one that is lost is an alert told
// twice. It stops when the program does, and when the claim is over and the item somebody else's. Also
// while the program stops there is one try.
func (d *Deliverer) note(ctx context.Context, it Item, write func(context.Context) error) {
	end := time.Now().Add(claimFor)
	for n := 1; ; n++ {
		once, cancel := context.WithTimeout(context.WithoutCancel(ctx), noteTimeout)
		err := write(once)
		cancel()
		if err == nil {
			return
		}
		d.log.Error("outbox", "receiver", it.Receiver, "incident", it.Incident, "err", err)
		// The claim must not run out while the store is back and nobody looks.
		if !pause(ctx, min(backoff(n, rand.Float64()), noteTimeout)) || time.Now().After(end) {
			return
		}
	}
}

// pause waits; it reports false if ctx ended.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
