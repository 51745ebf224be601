// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"time"

	"tocsin/alert"
	"tocsin/incident"
	"tocsin/pipeline"
	"tocsin/store"
)

// outbox is the store's as a Deliverer wants it.
type outbox struct {
	store store.Store
	name  string
}

func (o outbox) Claim(ctx context.Context, n int, lease time.Duration, inOrder ...string) ([]alert.Item, error) {
	rows, err := o.store.ClaimOutbox(ctx, o.name, n, lease, inOrder...)
	if err != nil {
		return nil, err
	}
	out := make([]alert.Item, len(rows))
	for i, r := range rows {
		created := time.Unix(0, r.Created)
		out[i] = alert.Item{
			ID: r.ID, Incident: r.Incident, Revision: r.Revision, Receiver: r.Receiver, Detection: r.Detection, Body: r.Body,
			Created: created, Attempt: r.Attempts, Age: time.Since(created), Kind: alert.Kind(r.Kind),
			Terms: alert.ReadTerms(r.Terms), SilencedBy: r.SilencedBy,
		}
	}
	return out, nil
}

func (o outbox) Sent(ctx context.Context, it alert.Item) error { return o.store.OutboxSent(ctx, it.ID) }

func (o outbox) Retry(ctx context.Context, it alert.Item, after time.Duration, reason string) error {
	return o.store.OutboxRetry(ctx, it.ID, it.Attempt, after, reason)
}

func (o outbox) PutOff(ctx context.Context, it alert.Item, after time.Duration, reason string) error {
	return o.store.OutboxPutOff(ctx, it.ID, it.Attempt, after, reason)
}

func (o outbox) Dead(ctx context.Context, it alert.Item, reason string) error {
	return o.store.OutboxDead(ctx, it.ID, it.Attempt, reason)
}

func (o outbox) Silence(ctx context.Context, it alert.Item, by string, after time.Duration, forGood bool) error {
	return o.store.OutboxSilence(ctx, it.ID, it.Attempt, by, after, forGood)
}

// remindSize is how many alerts are made in one transaction of what has to be told again.
const remindSize = 100

func (o outbox) Wake(ctx context.Context, acknowledged ...string) error {
	if err := o.store.OutboxWake(ctx, alert.HeldBackBy); err != nil {
		return err
	}
	return o.store.Remind(ctx, remindSize, acknowledged...)
}

func (o outbox) Rewrite(ctx context.Context, it alert.Item, body []byte, t alert.Terms) (bool, error) {
	return o.store.OutboxRewrite(ctx, it.ID, it.Attempt, body, t.String())
}

func (o outbox) Heard(ctx context.Context, incident, receiver string) (heard, hushed bool, err error) {
	return o.store.OutboxHeard(ctx, incident, receiver)
}

func (o outbox) Incident(ctx context.Context, id string) (incident.View, error) {
	return o.store.Incident(ctx, id)
}

func (o outbox) Open(ctx context.Context, n int) ([]incident.View, error) {
	return o.store.OpenIncidents(ctx, n)
}

func (o outbox) Silences(ctx context.Context) ([]alert.Silence, error) {
	all, err := o.store.ActiveSilences(ctx)
	out := make([]alert.Silence, len(all))
	for i, s := range all {
		out[i] = alert.Silence{ID: s.ID, Matchers: s.Matchers, Ends: time.Unix(0, s.Ends)}
	}
	return out, err
}

func (o outbox) Keep(ctx context.Context, it alert.Item, t alert.Told) error {
	kept := store.Told{
		Incident: t.Incident, Receiver: t.Receiver, Revision: t.Revision, Kind: string(t.Kind), Body: t.Body, Place: t.Place,
		Status: string(t.Status), Terms: t.Terms.String(), Resend: t.Again, Repeat: t.Terms.Repeat, For: t.For, Over: t.Over(),
	}
	if kept.Resend > 0 {
		kept.Repeat = 0 // it is told again as it is, and does its own reminding
	}
	return o.store.OutboxKeep(ctx, it.ID, kept)
}

func (o outbox) Place(ctx context.Context, incident, receiver string) (string, error) {
	return o.store.ToldPlace(ctx, incident, receiver)
}

func (o outbox) Again(ctx context.Context, receiver string, n int) ([]alert.Told, error) {
	ts, err := o.store.ToldAgain(ctx, receiver, n)
	out := make([]alert.Told, len(ts))
	for i, t := range ts {
		out[i] = alert.Told{Incident: t.Incident, Receiver: t.Receiver, Revision: t.Revision, Kind: alert.Kind(t.Kind), Body: t.Body, Place: t.Place}
	}
	return out, err
}

// startAlerts makes the deliverer.
func (n *node) startAlerts() error {
	var err error
	n.deliverer, err = alert.NewDeliverer(n.cfg.Alert, outbox{n.store, n.name}, n.out, n.log.With("part", "alert"), n.reg)
	if err != nil {
		return &usageError{err}
	}
	n.deliverer.Told = n.points.told
	return nil
}

// tell delivers alerts until ctx ends.
func (n *node) tell(ctx context.Context) error {
	if n.owners != nil {
		return n.deliverer.Run(ctx) // who takes partitions is a member by that
	}
	return pipeline.Attend(ctx, n.store, n.name, n.log.With("part", "alert"), n.deliverer.Run)
}

// alerts makes the outbox items of an incident that changed.
func (n *node) alerts(v incident.View, changed incident.Change, fresh []string) ([]store.OutboxItem, error) {
	as, err := n.router.Alerts(v, changed, fresh...)
	if err != nil {
		return nil, fmt.Errorf("alerts of %s: %w", v.ID, err)
	}
	out := make([]store.OutboxItem, len(as))
	for i, a := range as {
		out[i] = store.OutboxItem{
			Incident: a.Incident, Revision: a.Revision, Receiver: a.Receiver, Detection: a.Detection, Kind: string(a.Kind), Body: a.Body,
			Wait: a.Wait, Terms: a.Terms.String(),
		}
	}
	return out, nil
}
