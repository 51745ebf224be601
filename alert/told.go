// SPDX-License-Identifier: Apache-2.0

package alert

import (
	"context"
	"slices"
	"time"

	"tocsin/incident"
)

// Told is what a receiver knows of an incident: the last alert about it that it took.
type Told struct {
	Incident, Receiver string
	Revision           int64
	Kind               Kind
	Body               []byte
	// Place is where it is kept, in the receiver's words: a Slack bot's message, the labels of an Alertmanager's alert.
	Place string
	// Again is after what time the receiver is sent the same again, For how long; 0 is never, and as long as the incident is open.
	Again, For time.Duration
	// Status is the incident's that the receiver knows.
	Status incident.Status
	Terms  Terms
}

// Over reports whether nothing more is to be done about the incident.
func (t Told) Over() bool { return t.Kind.over() }

// threader is a sender that keeps what is about one incident together. It is told where that is, "" at first, and says where it is
// now, also with an error.
type threader interface {
	sendAt(ctx context.Context, it Item, place string) (string, error)
}

// resender is a sender whose receiver forgets.
type resender interface {
	interval() time.Duration
	resend(ctx context.Context, ts []Told) error
}

// resendSize is how many incidents are told again in one request.
const resendSize = 500

// told is what is kept of an item that a sender took; ok is false if nothing has to be.
func (l *lane) told(it Item, place string) (t Told, ok bool) {
	t = Told{Incident: it.Incident, Receiver: it.Receiver, Revision: it.Revision, Kind: it.Kind, Body: it.Body, Place: place, Terms: it.Terms, Status: incident.InProgress}
	switch a, err := readAbout(it.Body, ""); {
	case it.Kind == Opened:
		t.Status = incident.New // whoever works on it by now: that is told after
	case err == nil && it.Kind != Acknowledged:
		t.Status = a.Status
	}
	_, threads := l.sender.(threader)
	if s, forgets := l.sender.(resender); forgets {
		t.Again = s.interval()
		if it.Kind.over() {
			t.For = resolvedFor
		}
		return t, true
	}
	return t, threads || it.Terms.Repeat > 0 || slices.Contains(l.d.acknowledged, l.name)
}

// resend tells a receiver that forgets again and again, until ctx ends. What fails is told with the next interval.
func (d *Deliverer) resend(ctx context.Context, name string, s resender) {
	for {
		ts, err := d.outbox.Again(ctx, name, resendSize)
		if err != nil && ctx.Err() == nil {
			d.log.Error("outbox", "receiver", name, "err", err)
		}
		if len(ts) > 0 {
			timed, cancel := context.WithTimeout(context.WithoutCancel(ctx), timeout)
			err := s.resend(timed, ts)
			cancel()
			outcome := "resent"
			if err != nil {
				outcome = "resend_failed"
				d.log.Warn("not told again", "receiver", name, "incidents", len(ts), "err", err)
			}
			d.delivered.WithLabelValues(name, outcome).Add(float64(len(ts)))
		}
		if len(ts) < resendSize && !pause(ctx, min(s.interval()/4, 15*time.Second)) || ctx.Err() != nil {
			return
		}
	}
}
