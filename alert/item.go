// SPDX-License-Identifier: Apache-2.0

package alert

import (
	"context"
	"errors"
	"time"

	"tocsin/incident"
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
	Kind      Kind
	Body      []byte
	// Created is when it came into the outbox, by the store's clock. It is the same at every attempt.
	Created time.Time
	// Attempt counts the claims of it, this one included.
	Attempt int
	// Age is the time since it came into the outbox.
	Age time.Duration
	// made is when it came into the outbox at the latest, by this process's clock.
	made time.Time
	// Terms say how it is told, SilencedBy what kept it from being told before.
	Terms      Terms
	SilencedBy string
}

// Key is the item's idempotency key.
func (i Item) Key() string { return detectionKey(i.Incident, i.Receiver, i.Revision, i.Detection) }

// outbox is what the Deliverer needs of the store, and no more.
type outbox interface {
	// Claim takes up to n due items for a while, oldest first. Of receivers that are in order it takes none but
	// the oldest item, and that only if it is due: what waits for a retry is overtaken by nothing.
	Claim(ctx context.Context, n int, lease time.Duration, inOrder ...string) ([]Item, error)
	Sent(ctx context.Context, it Item) error
	// Retry puts the item back after an attempt that failed; it is due again after a while. PutOff does so with one that was not tried.
	Retry(ctx context.Context, it Item, after time.Duration, reason string) error
	PutOff(ctx context.Context, it Item, after time.Duration, reason string) error
	// Dead gives the item up.
	Dead(ctx context.Context, it Item, reason string) error
	// Keep says that the item was sent, and keeps what its receiver knows now.
	Keep(ctx context.Context, it Item, t Told) error
	// Place returns the Place that was kept last of an incident and a receiver, "" if there is none.
	Place(ctx context.Context, incident, receiver string) (string, error)
	// Silence keeps the item from being told, for a while or for good.
	Silence(ctx context.Context, it Item, by string, after time.Duration, forGood bool) error
	// Wake makes due what was silenced for a while that is over, or by an incident that is, and makes items of what has to be told again;
	// acknowledged are the receivers that hear when somebody works on an incident.
	Wake(ctx context.Context, acknowledged ...string) error
	// Rewrite gives the item another body and terms, the same at every attempt from then on. It reports false, and changes nothing, if the
	// item is not this attempt's any more.
	Rewrite(ctx context.Context, it Item, body []byte, t Terms) (bool, error)
	// Heard reports whether the receiver was told anything about the incident, and whether anything is or was kept from it.
	Heard(ctx context.Context, incident, receiver string) (heard, hushed bool, err error)
	// Incident returns the incident as it is now.
	Incident(ctx context.Context, id string) (incident.View, error)
	// Open returns up to n open incidents that are not in shadow, without their detections: those with the newest activity.
	Open(ctx context.Context, n int) ([]incident.View, error)
	// Silences returns those in force.
	Silences(ctx context.Context) ([]Silence, error)
	// Again takes up to n of what a receiver has to be told again by now; each is due again after its Again.
	Again(ctx context.Context, receiver string, n int) ([]Told, error)
}
