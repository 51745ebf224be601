// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"

	"tocsin/api/auth"
	"tocsin/incident"
	"tocsin/rules"
)

// scoped is the backend as who asks may see it: the only one that handlers have. It has each method of [Backend] by itself and
// embeds none, so that one that is added does not compile until somebody has said here what a scope makes of it.
type scoped struct{ all Backend }

var _ Backend = scoped{}

func (s scoped) Incidents(ctx context.Context, f incident.Filter) ([]incident.View, string, error) {
	f.Scope = auth.Of(ctx).Scope
	return s.all.Incidents(ctx, f)
}

// visible reports [incident.ErrNotFound] of an incident that is out of scope: that it is there is not theirs to know.
func (s scoped) visible(ctx context.Context, id string) error {
	scope := auth.Of(ctx).Scope
	if scope == nil {
		return nil
	}
	in, err := s.all.InScope(ctx, scope, id)
	if err == nil && !in[id] {
		return incident.ErrNotFound
	}
	return err
}

func (s scoped) Incident(ctx context.Context, id string) (incident.View, error) {
	if err := s.visible(ctx, id); err != nil {
		return incident.View{}, err
	}
	return s.all.Incident(ctx, id)
}

func (s scoped) Evidence(ctx context.Context, id string, limit int, cursor string) ([]incident.EvidenceItem, string, error) {
	if err := s.visible(ctx, id); err != nil {
		return nil, "", err
	}
	return s.all.Evidence(ctx, id, limit, cursor)
}

func (s scoped) Work(ctx context.Context, id string, w incident.Work) (incident.Done, error) {
	if err := s.visible(ctx, id); err != nil {
		return incident.Done{}, err
	}
	return s.all.Work(ctx, id, w)
}

func (s scoped) Merge(ctx context.Context, id, into, by string) (incident.Done, error) {
	for _, x := range []string{id, into} {
		if err := s.visible(ctx, x); err != nil {
			return incident.Done{}, err
		}
	}
	return s.all.Merge(ctx, id, into, by)
}

func (s scoped) Unmerge(ctx context.Context, id, by string) (incident.Done, error) {
	if err := s.visible(ctx, id); err != nil {
		return incident.Done{}, err
	}
	return s.all.Unmerge(ctx, id, by)
}

func (s scoped) Timeline(ctx context.Context, id string, f incident.TimelineFilter) ([]incident.Moment, string, error) {
	if err := s.visible(ctx, id); err != nil {
		return nil, "", err
	}
	return s.all.Timeline(ctx, id, f)
}

func (s scoped) Related(ctx context.Context, id string, _ incident.Scope, limit int) ([]incident.Related, error) {
	if err := s.visible(ctx, id); err != nil {
		return nil, err
	}
	return s.all.Related(ctx, id, auth.Of(ctx).Scope, limit)
}

func (s scoped) Sightings(ctx context.Context, kind, name string, _ incident.Scope) ([]incident.Sighting, bool, error) {
	return s.all.Sightings(ctx, kind, name, auth.Of(ctx).Scope)
}

func (s scoped) Close(ctx context.Context, id string, verdict incident.Verdict, by string) (incident.View, error) {
	if err := s.visible(ctx, id); err != nil {
		return incident.View{}, err
	}
	return s.all.Close(ctx, id, verdict, by)
}

func (s scoped) InScope(ctx context.Context, scope incident.Scope, ids ...string) (map[string]bool, error) {
	return s.all.InScope(ctx, scope, ids...)
}

// Rules are the same for all, and so are their numbers.
func (s scoped) Rules() []*rules.Rule { return s.all.Rules() }

// RuleStats are of all clusters: a rule's numbers name nothing.
func (s scoped) RuleStats(ctx context.Context) (map[string]map[string]int64, error) {
	return s.all.RuleStats(ctx)
}

// ReloadRules is refused to who has a scope before it comes here.
func (s scoped) ReloadRules(ctx context.Context) (Reloaded, error) { return s.all.ReloadRules(ctx) }

// Status leaves out how many incidents there are where some are out of scope.
func (s scoped) Status(ctx context.Context) (Status, error) {
	st, err := s.all.Status(ctx)
	if auth.Of(ctx).Scope != nil {
		st.Incidents = map[string]int64{}
	}
	return st, err
}

// Alerts leaves out those of incidents that are out of scope: a page may have fewer than its limit, and more follow.
func (s scoped) Alerts(ctx context.Context, state string, limit int, cursor string) ([]AlertView, string, error) {
	items, next, err := s.all.Alerts(ctx, state, limit, cursor)
	if err != nil || auth.Of(ctx).Scope == nil || len(items) == 0 {
		return items, next, err
	}
	in, err := s.alertsSeen(ctx, len(items), func(i int) string { return items[i].Incident })
	if err != nil {
		return nil, "", err
	}
	kept := []AlertView{}
	for _, a := range items {
		if in[a.Incident] {
			kept = append(kept, a)
		}
	}
	return kept, next, nil
}

// Deliveries says nothing of those of incidents that are out of scope but where they stand in the order.
func (s scoped) Deliveries(ctx context.Context, after string, limit int) ([]Delivered, error) {
	items, err := s.all.Deliveries(ctx, after, limit)
	if err != nil || auth.Of(ctx).Scope == nil || len(items) == 0 {
		return items, err
	}
	in, err := s.alertsSeen(ctx, len(items), func(i int) string { return items[i].Incident })
	if err != nil {
		return nil, err
	}
	for i, d := range items {
		if !in[d.Incident] {
			items[i] = Delivered{Mark: d.Mark}
		}
	}
	return items, nil
}

func (s scoped) LastDelivery(ctx context.Context) (string, error) { return s.all.LastDelivery(ctx) }

// alertsSeen are the incidents that some alerts are about, of those whose alerts may be seen.
func (s scoped) alertsSeen(ctx context.Context, n int, about func(int) string) (map[string]bool, error) {
	ids := make([]string, n)
	for i := range ids {
		ids[i] = about(i)
	}
	return s.all.InScope(ctx, auth.Of(ctx).Scope, ids...)
}

// Sources is refused to who has a scope before it comes here.
func (s scoped) Sources(ctx context.Context) ([]SourceView, error) { return s.all.Sources(ctx) }

// Receivers, silences and retries are refused to who has a scope before it comes here: they are about all clusters' alerts.
func (s scoped) Receivers(ctx context.Context) ([]ReceiverView, error) { return s.all.Receivers(ctx) }

// RetryAlerts is refused to who has a scope before it comes here.
func (s scoped) RetryAlerts(ctx context.Context, since int64, receiver string) (int64, error) {
	return s.all.RetryAlerts(ctx, since, receiver)
}

// Silences is refused to who has a scope before it comes here.
func (s scoped) Silences(ctx context.Context, all bool, limit int, cursor string) ([]SilenceView, string, error) {
	return s.all.Silences(ctx, all, limit, cursor)
}

// Silence is refused to who has a scope before it comes here.
func (s scoped) Silence(ctx context.Context, id string) (SilenceView, error) {
	return s.all.Silence(ctx, id)
}

// OpenIncidents are asked for a silence that somebody thinks of, and who has a scope is refused that, too.
func (s scoped) OpenIncidents(ctx context.Context, n int) ([]incident.View, error) {
	return s.all.OpenIncidents(ctx, n)
}

// AddSilence is refused to who has a scope before it comes here.
func (s scoped) AddSilence(ctx context.Context, v SilenceView) (SilenceView, error) {
	return s.all.AddSilence(ctx, v)
}

// SetSilence is refused to who has a scope before it comes here.
func (s scoped) SetSilence(ctx context.Context, v SilenceView) (SilenceView, error) {
	return s.all.SetSilence(ctx, v)
}

// RetryAlert is refused to who has a scope before it comes here.
func (s scoped) RetryAlert(ctx context.Context, id int64) error { return s.all.RetryAlert(ctx, id) }

// ChangedIncidents and LastChange say that there was a change: what it was is asked of Incidents.
func (s scoped) ChangedIncidents(ctx context.Context, after string, limit int) ([]incident.Changed, error) {
	return s.all.ChangedIncidents(ctx, after, limit)
}

func (s scoped) LastChange(ctx context.Context) (string, error) { return s.all.LastChange(ctx) }

// ChangedDetections are of whatever incident: whether that may be seen is asked of Incidents.
func (s scoped) ChangedDetections(ctx context.Context, after string, limit int) ([]incident.ChangedDetection, error) {
	return s.all.ChangedDetections(ctx, after, limit)
}

func (s scoped) LastDetection(ctx context.Context) (string, error) { return s.all.LastDetection(ctx) }

// Quarantine is refused to who has a scope before it comes here, and so are the others: nobody knows where it was.
func (s scoped) Quarantine(ctx context.Context, f QuarantineFilter) ([]QuarantineView, string, error) {
	return s.all.Quarantine(ctx, f)
}

func (s scoped) QuarantineEntry(ctx context.Context, at LogPlace) (QuarantineView, error) {
	return s.all.QuarantineEntry(ctx, at)
}

func (s scoped) ReleaseQuarantine(ctx context.Context, at LogPlace) (int, error) {
	return s.all.ReleaseQuarantine(ctx, at)
}

func (s scoped) ReleaseAllQuarantine(ctx context.Context, f QuarantineFilter) (Released, error) {
	return s.all.ReleaseAllQuarantine(ctx, f)
}

// CheckRules is refused to who has a scope before it comes here: its tests can ask the lists in force for what is in them.
func (s scoped) CheckRules(ctx context.Context, text string) (RuleCheck, error) {
	return s.all.CheckRules(ctx, text)
}

// TraceRule is refused to who has a scope before it comes here, as is CheckRules.
func (s scoped) TraceRule(ctx context.Context, q TraceQuery) (RuleTrace, error) {
	return s.all.TraceRule(ctx, q)
}

// RuleSource is refused to who has a scope before it comes here: comments and tests may name what is of other clusters.
func (s scoped) RuleSource(id string) (RuleSource, error) { return s.all.RuleSource(id) }

// RuleOf is asked for who may have the source of rules alone.
func (s scoped) RuleOf(ctx context.Context, id, revision string) (RuleSource, error) {
	return s.all.RuleOf(ctx, id, revision)
}

// StartBacktest is refused to who has a scope before it comes here, and so are the others: incidents are of all clusters.
func (s scoped) StartBacktest(ctx context.Context, q BacktestStart) (Backtest, error) {
	return s.all.StartBacktest(ctx, q)
}

func (s scoped) Backtest(ctx context.Context, id string) (Backtest, error) {
	return s.all.Backtest(ctx, id)
}

func (s scoped) CancelBacktest(ctx context.Context, id string) error {
	return s.all.CancelBacktest(ctx, id)
}

// NearMisses are of the events in scope alone.
func (s scoped) NearMisses(ctx context.Context, rule string, _ incident.Scope) (NearMisses, error) {
	return s.all.NearMisses(ctx, rule, auth.Of(ctx).Scope)
}

func (s scoped) SearchEvents(ctx context.Context, q EventSearch) (EventPage, error) {
	q.Scope = auth.Of(ctx).Scope
	return s.all.SearchEvents(ctx, q)
}

func (s scoped) FollowEvents(ctx context.Context, f EventFilter, after *LogPlace, fn func(EventPlace) error) error {
	f.Scope = auth.Of(ctx).Scope
	return s.all.FollowEvents(ctx, f, after, fn)
}

// Tail leaves out events of places that are out of scope, and what could not be read: nobody knows where that was.
func (s scoped) Tail(ctx context.Context, fn func(any) error) error {
	scope := auth.Of(ctx).Scope
	if scope == nil {
		return s.all.Tail(ctx, fn)
	}
	return s.all.Tail(ctx, func(v any) error {
		e, _ := v.(map[string]any)
		fields, ok := e["fields"].(map[string]any)
		if !ok || !scope.Has(incident.PlaceOf(fields)) {
			return nil
		}
		return fn(v)
	})
}
