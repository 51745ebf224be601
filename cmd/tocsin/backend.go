// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"time"

	"tocsin/alert"
	"tocsin/api"
	"tocsin/correlate"
	"tocsin/event"
	"tocsin/incident"
	"tocsin/rules"
	"tocsin/store"
)

// backend is the node as the API wants it.
type backend struct{ n *node }

func (b backend) Incidents(ctx context.Context, f incident.Filter) ([]incident.View, string, error) {
	return b.n.store.Incidents(ctx, f)
}

func (b backend) Incident(ctx context.Context, id string) (incident.View, error) {
	return b.n.store.Incident(ctx, id)
}

func (b backend) Evidence(ctx context.Context, id string, limit int, cursor string) ([]incident.EvidenceItem, string, error) {
	return b.n.store.Evidence(ctx, id, limit, cursor)
}

func (b backend) InScope(ctx context.Context, scope incident.Scope, ids ...string) (map[string]bool, error) {
	return b.n.store.InScope(ctx, scope, ids...)
}

func (b backend) Rules() []*rules.Rule { return b.n.sets.Current().Rules }

func (b backend) RuleStats(ctx context.Context) (map[string]map[string]int64, error) {
	stats, err := b.n.store.RuleStats(ctx)
	if err != nil {
		return nil, err
	}
	out := make(map[string]map[string]int64, len(stats))
	for _, s := range stats {
		out[s.Rule] = publicNumbers(s)
	}
	return out, nil
}

func publicNumbers(s correlate.Stats) map[string]int64 {
	return map[string]int64{
		"matches": s.Matched, "detections": s.Detections, "incidents": s.Incidents, "late": s.Late, "future": s.Future,
		"capped": s.Capped, "dropped": s.Dropped, "unkeyed": s.Unkeyed, "excepted": s.Excepted, "retracted": s.Retracted,
		"duplicates": s.Duplicates, "negative": s.Negative,
	}
}

func (b backend) Status(ctx context.Context) (api.Status, error) {
	n := b.n
	set := n.sets.Current()
	st := api.Status{Version: version, Partitions: n.streams.Partitions(), Set: set.Hash, Rules: len(set.Rules), Incidents: make(map[string]int64)}
	var err error
	if st.MatchLag, err = n.streams.MatchLag(ctx); err != nil {
		return st, err
	}
	at, err := n.together(ctx)
	if err != nil {
		return st, err
	}
	st.Owned, st.CorrelateLag, st.Clock = at.owned, at.lag, at.clock
	out, err := n.store.OutboxStats(ctx)
	if err != nil {
		return st, err
	}
	st.Outbox, st.DeadAlerts = out.Pending, out.Dead
	events, err := n.streams.EventsState(ctx)
	if err != nil {
		return st, err
	}
	st.Events = events.Messages
	counts, err := n.store.Rollup(ctx)
	if err != nil {
		return st, err
	}
	for _, c := range counts {
		if !c.Shadow {
			st.Incidents[fmt.Sprintf("%s/%s", c.Status, c.Severity)] += c.N
		}
	}
	return st, nil
}

func (b backend) Alerts(ctx context.Context, state string, limit int, cursor string) ([]api.AlertView, string, error) {
	rows, next, err := b.n.store.ListOutbox(ctx, store.OutboxFilter{State: state, Limit: limit, Cursor: cursor})
	if err != nil {
		return nil, "", err
	}
	out := make([]api.AlertView, len(rows))
	for i, r := range rows {
		key := alert.Item{Incident: r.Incident, Revision: r.Revision, Receiver: r.Receiver, Detection: r.Detection}.Key()
		out[i] = api.AlertView{
			ID: r.ID, Key: key, Incident: r.Incident, Title: r.Title, Receiver: r.Receiver, Kind: r.Kind,
			State: r.State, Attempts: r.Attempts, Created: event.Stamp(r.Created), Finished: event.Stamp(r.Finished), Error: r.Error, SilencedBy: r.SilencedBy,
		}
	}
	return out, next, nil
}

func (b backend) Sources(context.Context) ([]api.SourceView, error) {
	now := time.Now().UnixNano()
	out := []api.SourceView{}
	for _, x := range b.n.seen.List() {
		out = append(out, api.SourceView{
			Source: x.Source, Host: x.Host, Input: x.Input, LastSeen: event.Stamp(x.LastSeen), LastEvent: event.Stamp(x.LastEvent),
			Records: x.Records, Rate: x.Rate(now), Usual: x.Usual(now), Errors: x.Errors, Quarantined: x.Quarantined, LastError: x.LastError,
		})
	}
	for _, f := range b.n.falcos {
		st := f.Status()
		v := api.SourceView{
			Source: "falco", Host: st.Address, Input: st.Name, Records: st.Alerts, Errors: st.Ended, LastError: st.Err, State: st.String(),
		}
		if !st.Last.IsZero() {
			v.LastSeen = event.Stamp(st.Last.UnixNano())
		}
		out = append(out, v)
	}
	return out, nil
}

func (b backend) RetryAlert(ctx context.Context, id int64) error {
	return b.n.store.OutboxRevive(ctx, id)
}

func (b backend) Tail(ctx context.Context, fn func(any) error) error {
	return b.n.streams.Tail(ctx, func(rec event.Record, at int64) error {
		e, err := b.n.parser.Parse(rec, at)
		if err != nil {
			return fn(map[string]any{"source": rec.Source, "error": err.Error()})
		}
		return fn(map[string]any{"time": event.Stamp(e.Time), "source": e.Source, "event_id": e.EventID, "fields": e.Fields()})
	})
}
