// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"errors"
	"strings"

	"tocsin/incident"
	"tocsin/rules"
)

// ErrClosed says that an incident is closed already.
var ErrClosed = errors.New("the incident is closed already")

// Backend is what the API needs of the rest.
type Backend interface {
	Incidents(ctx context.Context, f incident.Filter) ([]incident.View, string, error)
	Incident(ctx context.Context, id string) (incident.View, error)
	Evidence(ctx context.Context, id string, limit int, cursor string) ([]incident.EvidenceItem, string, error)
	// InScope returns those of some incidents that are in scope.
	InScope(ctx context.Context, scope incident.Scope, ids ...string) (map[string]bool, error)
	// Work does what somebody does with an incident. Closing it goes through the log.
	Work(ctx context.Context, id string, w incident.Work) (incident.Done, error)
	// Merge shows an incident with another, Unmerge by itself again.
	Merge(ctx context.Context, id, into, by string) (incident.Done, error)
	Unmerge(ctx context.Context, id, by string) (incident.Done, error)
	// Timeline returns a page of what happened in an incident; the backend knows the lateness bound.
	Timeline(ctx context.Context, id string, f incident.TimelineFilter) ([]incident.Moment, string, error)
	// Related returns incidents of other rules in scope about the entities of one, Sightings those about an entity, and whether there
	// are others, older ones.
	Related(ctx context.Context, id string, scope incident.Scope, limit int) ([]incident.Related, error)
	Sightings(ctx context.Context, kind, name string, scope incident.Scope) ([]incident.Sighting, bool, error)
	// Close closes an incident through the log and returns it as it is then; ErrClosed if it was.
	Close(ctx context.Context, id string, verdict incident.Verdict, by string) (incident.View, error)
	Rules() []*rules.Rule
	// ReloadRules reads the rule files again and puts them in force; a [BadRulesError] says that they are wrong.
	ReloadRules(ctx context.Context) (Reloaded, error)
	RuleStats(ctx context.Context) (map[string]map[string]int64, error)
	Status(ctx context.Context) (Status, error)
	Alerts(ctx context.Context, state string, limit int, cursor string) ([]AlertView, string, error)
	// Sources returns what has been seen of each source and host.
	Sources(ctx context.Context) ([]SourceView, error)
	// Receivers returns how the alerts to each receiver stand.
	Receivers(ctx context.Context) ([]ReceiverView, error)
	// RetryAlerts makes all alerts pending that died since then (Unix nanoseconds), of one receiver or of all ("").
	RetryAlerts(ctx context.Context, since int64, receiver string) (int64, error)
	// Silences returns a page, newest first; of those that are over only if all is set.
	Silences(ctx context.Context, all bool, limit int, cursor string) ([]SilenceView, string, error)
	Silence(ctx context.Context, id string) (SilenceView, error)
	// OpenIncidents returns up to n incidents that are open and not in shadow, newest activity first and without their detections.
	OpenIncidents(ctx context.Context, n int) ([]incident.View, error)
	AddSilence(ctx context.Context, v SilenceView) (SilenceView, error)
	// SetSilence replaces one whose revision is v's, else [ErrStale].
	SetSilence(ctx context.Context, v SilenceView) (SilenceView, error)
	// RetryAlert makes a dead alert pending again.
	RetryAlert(ctx context.Context, id int64) error
	// ChangedIncidents returns incidents that were written after a mark, in order, whoever may see them; the error may be
	// [incident.ErrBadCursor] or [incident.ErrUnknownMark].
	ChangedIncidents(ctx context.Context, after string, limit int) ([]incident.Changed, error)
	LastChange(ctx context.Context) (string, error)
	// ChangedDetections and LastDetection are the same of detections.
	ChangedDetections(ctx context.Context, after string, limit int) ([]incident.ChangedDetection, error)
	LastDetection(ctx context.Context) (string, error)
	// Deliveries and LastDelivery are the same of what became of attempts to tell alerts.
	Deliveries(ctx context.Context, after string, limit int) ([]Delivered, error)
	LastDelivery(ctx context.Context) (string, error)
	// Quarantine returns a page of what could not be read, newest first, and the cursor of the next.
	Quarantine(ctx context.Context, f QuarantineFilter) ([]QuarantineView, string, error)
	QuarantineEntry(ctx context.Context, at LogPlace) (QuarantineView, error)
	// ReleaseQuarantine takes an entry in and returns how many events it is; a [UnreadableError] says why not.
	ReleaseQuarantine(ctx context.Context, at LogPlace) (int, error)
	// ReleaseAllQuarantine does so with all that a filter selects, but for its limit; the error may be ErrBusy.
	ReleaseAllQuarantine(ctx context.Context, f QuarantineFilter) (Released, error)
	// CheckRules says what is wrong with a rule file; the error may be ErrBusy.
	CheckRules(ctx context.Context, text string) (RuleCheck, error)
	// TraceRule follows a rule through a few events; the error may be a [BadRulesError], a [BadTraceError], or ErrBusy.
	TraceRule(ctx context.Context, q TraceQuery) (RuleTrace, error)
	// RuleSource returns how a rule in force is written.
	RuleSource(id string) (RuleSource, error)
	// RuleOf returns how a rule was written when it had a revision; the error may be a [NoTextError].
	RuleOf(ctx context.Context, id, revision string) (RuleSource, error)
	// StartBacktest begins a job; the error may be a [BadRulesError], or ErrBusy.
	StartBacktest(ctx context.Context, q BacktestStart) (Backtest, error)
	Backtest(ctx context.Context, id string) (Backtest, error)
	CancelBacktest(ctx context.Context, id string) error
	// NearMisses says how far the keys of a rule in force came with the events of a scope; the error may be ErrBusy.
	NearMisses(ctx context.Context, rule string, scope incident.Scope) (NearMisses, error)
	// SearchEvents looks through the events that are kept; the error may be ErrBusy.
	SearchEvents(ctx context.Context, q EventSearch) (EventPage, error)
	// FollowEvents passes the events that come after a place to fn, until ctx ends or fn fails; nil is from now on, and that place
	// is passed first. The error may be ErrUnknownPlace, before anything is passed.
	FollowEvents(ctx context.Context, f EventFilter, after *LogPlace, fn func(EventPlace) error) error
	// Tail passes each event that comes from now on to fn, until ctx ends or fn fails.
	Tail(ctx context.Context, fn func(any) error) error
}

// NoTextError says why the text of a rule cannot be had any more.
type NoTextError struct{ Why string }

func (e *NoTextError) Error() string { return e.Why }

// BadRulesError says what is wrong with the rule files: the rules in force stay.
type BadRulesError struct{ Mistakes []string }

func (e *BadRulesError) Error() string { return strings.Join(e.Mistakes, "\n") }
