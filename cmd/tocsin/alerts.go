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
	store store.Outbox
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
			Created: created, Attempt: r.Attempts, Age: time.Since(created),
		}
	}
	return out, nil
}

func (o outbox) Sent(ctx context.Context, it alert.Item) error { return o.store.OutboxSent(ctx, it.ID) }

func (o outbox) Retry(ctx context.Context, it alert.Item, after time.Duration, reason string) error {
	return o.store.OutboxRetry(ctx, it.ID, it.Attempt, after, reason)
}

func (o outbox) Dead(ctx context.Context, it alert.Item, reason string) error {
	return o.store.OutboxDead(ctx, it.ID, it.Attempt, reason)
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
		}
	}
	return out, nil
}
