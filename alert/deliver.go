// SPDX-License-Identifier: Apache-2.0

package alert

import (
	"cmp"
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
	"golang.org/x/time/rate"
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
	seconds   *prometheus.HistogramVec
	// source is the CloudEvents source of what is written anew.
	source string
	// acknowledged are the receivers that hear when somebody works on an incident.
	acknowledged []string
	// mutes are the times that alerts' terms name, inhibitions what holds incidents back, and open which of these are open.
	mutes       map[string][]interval
	inhibitions []inhibition
	open        openIncidents
	// rates are of the receivers that have one.
	rates map[string]*rate.Limiter
	// Told is called between a receiver's answer and the outbox's note of it. Nil but in tests.
	Told func()
}

// NewDeliverer returns the deliverer of a valid configuration. Receivers of type stdout write to out.
func NewDeliverer(c Config, o outbox, out io.Writer, log *slog.Logger, reg prometheus.Registerer) (*Deliverer, error) {
	d := &Deliverer{outbox: o, senders: make(map[string]sender), more: make(chan struct{}, 1), rates: make(map[string]*rate.Limiter), source: defaultSource, log: log}
	d.delivered = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "tocsin_alert_deliveries_total", Help: "Attempts to deliver alerts, by receiver and outcome.",
	}, []string{"receiver", "outcome"})
	d.seconds = prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "tocsin_alert_delivery_seconds", Help: "Time from an alert's commit to its delivery, by receiver.",
		Buckets: []float64{.05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 3600, 21600, 86400},
	}, []string{"receiver"})
	reg.MustRegister(d.delivered, d.seconds)
	var err error
	if d.mutes, err = c.mutes(); err != nil {
		return nil, err
	}
	if d.inhibitions, err = c.inhibitions(); err != nil {
		return nil, err
	}
	var mu sync.Mutex
	for _, r := range c.complete().Receivers {
		s, err := newSender(r, c, printer{mu: &mu, out: out})
		if err != nil {
			return nil, err
		}
		if r.Type == Loki {
			d.inOrder = append(d.inOrder, r.Name)
		}
		d.senders[r.Name] = s
		if r.Type == PagerDuty || r.Type == Slack && r.Token != "" {
			d.acknowledged = append(d.acknowledged, r.Name)
		}
		if n := cmp.Or(r.PerMinute, perMinute(r.Type)); n > 0 {
			d.rates[r.Name] = rate.NewLimiter(rate.Limit(float64(n)/60), max(n/60, 1))
		}
	}
	return d, nil
}

// Run delivers until ctx ends. Each receiver has a lane of its own, so that one that is slow or down
// holds up nobody else's alerts.
func (d *Deliverer) Run(ctx context.Context) error {
	var wg sync.WaitGroup
	defer d.closeSenders()
	defer wg.Wait()
	lanes := make(map[string]*lane, len(d.senders))
	for name, s := range d.senders {
		l := &lane{d: d, name: name, sender: s, inOrder: slices.Contains(d.inOrder, name), wake: make(chan struct{}, 1)}
		lanes[name] = l
		wg.Go(func() { l.run(ctx) })
		if r, ok := s.(resender); ok {
			wg.Go(func() { d.resend(ctx, name, r) })
		}
	}
	wg.Go(func() { d.wake(ctx) })
	for ctx.Err() == nil {
		until := time.Now().Add(claimFor)
		items, err := d.outbox.Claim(ctx, claimSize, claimFor, d.inOrder...)
		if err != nil && ctx.Err() == nil {
			d.log.Error("outbox", "err", err)
		}
		came := time.Now().Add(time.Millisecond) // the store's ages may be less exact
		for _, it := range items {
			it.made = came.Add(-it.Age)
			l := lanes[it.Receiver]
			switch {
			case l == nil:
				d.stray(ctx, it)
			case !l.offer(claimed{it, until}):
				d.note(ctx, it, func(ctx context.Context) error {
					return d.outbox.PutOff(ctx, it, crowded, "many alerts to this receiver wait before it")
				})
			}
		}
		if len(items) < claimSize {
			d.poll(ctx)
		}
	}
	return nil
}

// wakeEach is how soon something is told whose time has come. That somebody works on an incident is looked for less often: it is a look at
// all that are open.
const (
	wakeEach        = time.Second
	acknowledgeEach = 5
)

// wake puts back into the outbox what may be told again by now, until ctx ends.
func (d *Deliverer) wake(ctx context.Context) {
	for n := 0; ; n++ {
		var acknowledged []string
		if n%acknowledgeEach == 0 {
			acknowledged = d.acknowledged
		}
		once, cancel := context.WithTimeout(ctx, noteTimeout)
		err := d.outbox.Wake(once, acknowledged...)
		cancel()
		if err != nil && ctx.Err() == nil {
			d.log.Error("outbox", "err", err)
		}
		if !pause(ctx, wakeEach) {
			return
		}
	}
}

// closeSenders lets go of connections.
func (d *Deliverer) closeSenders() {
	for _, s := range d.senders {
		if c, ok := s.(interface{ close() }); ok {
			c.close()
		}
	}
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
	if it.Age > maxAge && len(it.Body) == 0 && it.Kind.over() { // it is told to who heard of the beginning, and they are gone
		d.silence(ctx, it, reason, 0, true)
		return
	}
	if it.Age > maxAge {
		d.giveUp(ctx, it, errors.New(reason))
		return
	}
	d.note(ctx, it, func(ctx context.Context) error { return d.outbox.PutOff(ctx, it, maxDelay, reason) })
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
