// SPDX-License-Identifier: Apache-2.0

package api_test

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"tocsin/api"
	"tocsin/api/auth/authtest"
	"tocsin/console"
	"tocsin/incident"
	"tocsin/rules"
)

const (
	token = "a-token"
	known = "0123456789abcdef0123456789abcdef"
	other = "ffffffffffffffffffffffffffffffff"
)

var now = time.Date(2026, 11, 20, 10, 0, 0, 0, time.UTC)

// fake is a backend with one incident; it keeps what it was asked.
type fake struct {
	filter   incident.Filter
	by       string
	verdict  incident.Verdict
	next     string
	err      error
	mu       sync.Mutex
	scope    incident.Scope // that was asked for
	place    incident.Place // of the incident
	work     incident.Work  // that was asked for
	moments  incident.TimelineFilter
	refuse   error // what work is refused with
	refused  int   // how often it was
	status   incident.Status
	tail     func(ctx context.Context, fn func(any) error) error
	since    int64
	receiver string
	silences []api.SilenceView
	revision string // of the rule that made the incident; that in force is r2
	then     string // the text of it, "" for none
	merged   string // what the incident is merged into, "" for none
}

func (f *fake) view() incident.View {
	v := incident.View{ID: known, Rule: incident.RuleView{ID: "shell", Revision: cmp.Or(f.revision, "r2")}, Title: "<b>", Severity: "high", Status: f.status, Detections: []incident.DetectionView{}, Version: "3-1"}
	if f.merged != "" {
		v.MergedInto = &f.merged
	}
	return v
}

func (f *fake) Incidents(_ context.Context, x incident.Filter) ([]incident.View, string, error) {
	f.filter = x
	if !x.Scope.Has(f.place) {
		return nil, "", f.err
	}
	return []incident.View{f.view()}, f.next, f.err
}

func (f *fake) Incident(_ context.Context, id string) (incident.View, error) {
	if id != known {
		return incident.View{}, incident.ErrNotFound
	}
	return f.view(), f.err
}

func (f *fake) Evidence(_ context.Context, id string, _ int, cursor string) ([]incident.EvidenceItem, string, error) {
	if id != known {
		return nil, "", incident.ErrNotFound
	}
	if cursor != "" {
		return nil, "", incident.ErrBadCursor
	}
	return []incident.EvidenceItem{{EventID: "e", Fields: map[string]any{"user.name": known}, Raw: json.RawMessage(`{"n":9007199254740993}`), SHA256: "ab"}}, f.next, f.err
}

func (f *fake) InScope(_ context.Context, scope incident.Scope, ids ...string) (map[string]bool, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.scope = scope
	out := make(map[string]bool)
	for _, id := range ids {
		out[id] = scope.Has(f.place) && id == known
	}
	return out, f.err
}

func (f *fake) Work(_ context.Context, id string, w incident.Work) (incident.Done, error) {
	if id != known {
		return incident.Done{}, incident.ErrNotFound
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.work = w
	if f.refuse != nil {
		f.refused++
		return incident.Done{}, f.refuse
	}
	return incident.Done{Acts: []incident.Act{{ID: 5, Incident: id, Actor: w.By, Kind: incident.ActComment, Detail: map[string]string{"text": w.Comment}}}}, f.err
}

func (f *fake) Merge(_ context.Context, id, into, by string) (incident.Done, error) {
	if id != known {
		return incident.Done{}, incident.ErrNotFound
	}
	f.by = "merged into " + into + " by " + by
	return incident.Done{}, f.refuse
}

func (f *fake) Unmerge(_ context.Context, id, by string) (incident.Done, error) {
	if id != known {
		return incident.Done{}, incident.ErrNotFound
	}
	f.by = "taken out by " + by
	return incident.Done{}, f.refuse
}

func (f *fake) Related(_ context.Context, id string, scope incident.Scope, _ int) ([]incident.Related, error) {
	if id != known || !scope.Has(f.place) {
		return nil, incident.ErrNotFound
	}
	return []incident.Related{{Incident: f.view(), Shared: []incident.Entity{{Type: "user", Name: "ana"}}}}, f.err
}

func (f *fake) Sightings(_ context.Context, kind, name string, scope incident.Scope) ([]incident.Sighting, bool, error) {
	if kind+":"+name != "pod:shop/web-1" || !scope.Has(f.place) {
		return nil, false, f.err
	}
	at := now.Add(-7 * 24 * time.Hour).UnixNano()
	return []incident.Sighting{
		{ID: known, Severity: "high", Status: incident.New, FirstEvent: at - 5, LastEvent: at},
		{ID: other, Severity: "low", Status: incident.Closed, Verdict: incident.FalsePositive, FirstEvent: at - 9, LastEvent: at - 1},
	}, true, f.err
}

func (f *fake) Timeline(_ context.Context, id string, x incident.TimelineFilter) ([]incident.Moment, string, error) {
	if id != known {
		return nil, "", incident.ErrNotFound
	}
	f.moments = x
	return []incident.Moment{{Kind: incident.MomentAct, Incident: id, Act: &incident.Act{Kind: incident.ActComment}}}, f.next, f.err
}

func (f *fake) Close(_ context.Context, id string, verdict incident.Verdict, by string) (incident.View, error) {
	if id != known {
		return incident.View{}, incident.ErrNotFound
	}
	f.verdict, f.by = verdict, by
	v := f.view()
	v.Status = incident.Closed
	return v, f.err
}

func (f *fake) Rules() []*rules.Rule {
	return []*rules.Rule{{
		ID: "shell", Revision: "r2", Title: "Shell", Severity: rules.High, Within: time.Minute,
		Patterns: []rules.Pattern{{Name: "a", Source: `user.name == "x"`, Child: -1}, {Name: "b"}}, Children: []*rules.Rule{{ID: "other"}},
	}}
}

func (f *fake) ReloadRules(context.Context) (api.Reloaded, error) {
	return api.Reloaded{Set: "ab", Rules: 1, Changed: true, Added: []string{"shell"}}, f.err
}

func (f *fake) RuleStats(context.Context) (map[string]map[string]int64, error) {
	return map[string]map[string]int64{"shell": {"matches": 3}}, f.err
}

func (f *fake) Status(context.Context) (api.Status, error) { return api.Status{Outbox: 2}, f.err }

func (f *fake) Alerts(context.Context, string, int, string) ([]api.AlertView, string, error) {
	return nil, f.next, f.err
}

func (f *fake) Sources(context.Context) ([]api.SourceView, error) {
	return []api.SourceView{{Source: "falco", Host: "node-a", Records: 7}}, f.err
}

func (f *fake) RetryAlert(_ context.Context, id int64) error {
	if id != 7 {
		return incident.ErrNotFound
	}
	return nil
}

// ChangedIncidents has the one incident as the change 1, and then nothing more: the stream ends.
func (f *fake) ChangedIncidents(_ context.Context, after string, _ int) ([]incident.Changed, error) {
	if after == "0." {
		return []incident.Changed{{ID: known, Mark: "1." + known}}, nil
	}
	return nil, errors.New("that is all")
}

// ChangedDetections has one of the one incident, as ChangedIncidents has that.
func (f *fake) ChangedDetections(_ context.Context, after string, _ int) ([]incident.ChangedDetection, error) {
	if after == "0." {
		return []incident.ChangedDetection{{Incident: known, Mark: "1." + known, Detection: incident.DetectionView{ID: known}}}, nil
	}
	return nil, errors.New("that is all")
}

func (f *fake) LastDetection(context.Context) (string, error) { return "0.", f.err }

// Deliveries has one about the one incident, as ChangedIncidents has that.
func (f *fake) Deliveries(_ context.Context, after string, _ int) ([]api.Delivered, error) {
	if after == "0.aa" {
		return []api.Delivered{{Incident: known, Mark: "1.bb", DeliveryView: api.DeliveryView{Receiver: "ops", Outcome: "sent", Key: known}}}, nil
	}
	return nil, errors.New("that is all")
}

func (f *fake) LastDelivery(context.Context) (string, error) { return "0.aa", f.err }

func (f *fake) LastChange(context.Context) (string, error) { return "0.", f.err }

func (f *fake) Quarantine(context.Context, api.QuarantineFilter) ([]api.QuarantineView, string, error) {
	return nil, f.next, f.err
}

func (f *fake) QuarantineEntry(context.Context, api.LogPlace) (api.QuarantineView, error) {
	return api.QuarantineView{}, f.err
}

func (f *fake) ReleaseQuarantine(context.Context, api.LogPlace) (int, error) { return 1, f.err }

func (f *fake) ReleaseAllQuarantine(context.Context, api.QuarantineFilter) (api.Released, error) {
	return api.Released{}, f.err
}

func (f *fake) CheckRules(context.Context, string) (api.RuleCheck, error) {
	return api.RuleCheck{}, f.err
}

func (f *fake) TraceRule(context.Context, api.TraceQuery) (api.RuleTrace, error) {
	return api.RuleTrace{}, f.err
}

func (f *fake) RuleSource(string) (api.RuleSource, error) {
	return api.RuleSource{Text: "the rule of now", Revision: "r2"}, f.err
}

func (f *fake) RuleOf(_ context.Context, _, revision string) (api.RuleSource, error) {
	if f.then == "" {
		return api.RuleSource{}, &api.NoTextError{Why: "nobody kept " + revision}
	}
	return api.RuleSource{Text: f.then, Revision: revision}, f.err
}

func (f *fake) StartBacktest(context.Context, api.BacktestStart) (api.Backtest, error) {
	return api.Backtest{ID: "job"}, f.err
}

func (f *fake) Backtest(context.Context, string) (api.Backtest, error) { return api.Backtest{}, f.err }
func (f *fake) CancelBacktest(context.Context, string) error           { return f.err }

func (f *fake) NearMisses(_ context.Context, _ string, scope incident.Scope) (api.NearMisses, error) {
	if !scope.Has(f.place) {
		return api.NearMisses{}, f.err
	}
	return api.NearMisses{Items: []api.NearMiss{{Rule: known}}}, f.err
}

func (f *fake) SearchEvents(_ context.Context, q api.EventSearch) (api.EventPage, error) {
	if !q.Scope.Has(f.place) {
		return api.EventPage{Searched: 1}, f.err
	}
	return api.EventPage{Items: []api.EventView{{EventID: known}}, NextCursor: f.next, Searched: 1}, f.err
}

func (f *fake) FollowEvents(_ context.Context, q api.EventFilter, _ *api.LogPlace, fn func(api.EventPlace) error) error {
	if !q.Scope.Has(f.place) {
		return f.err
	}
	return fn(api.EventPlace{Next: api.LogPlace{Seq: 1}, Event: &api.EventView{EventID: known}})
}

func (f *fake) Receivers(context.Context) ([]api.ReceiverView, error) {
	return []api.ReceiverView{{Name: "soc", Type: "slack", State: "failing", Pending: 3}}, f.err
}

func (f *fake) RetryAlerts(_ context.Context, since int64, receiver string) (int64, error) {
	f.since, f.receiver = since, receiver
	return 4, f.err
}

func (f *fake) Silences(_ context.Context, all bool, _ int, _ string) ([]api.SilenceView, string, error) {
	var out []api.SilenceView
	for _, s := range f.silences {
		if all || int64(s.Ends) > now.UnixNano() {
			out = append(out, s)
		}
	}
	return out, f.next, f.err
}

func (f *fake) Silence(_ context.Context, id string) (api.SilenceView, error) {
	for _, s := range f.silences {
		if s.ID == id {
			return s, f.err
		}
	}
	return api.SilenceView{}, incident.ErrNotFound
}

// OpenIncidents are the one incident, as often as it is asked for.
func (f *fake) OpenIncidents(_ context.Context, n int) ([]incident.View, error) {
	return slices.Repeat([]incident.View{f.view()}, n), f.err
}

func (f *fake) AddSilence(_ context.Context, v api.SilenceView) (api.SilenceView, error) {
	v.ID, v.Revision = known, 1
	f.silences = append(f.silences, v)
	return v, f.err
}

func (f *fake) SetSilence(_ context.Context, v api.SilenceView) (api.SilenceView, error) {
	for i, s := range f.silences {
		if s.ID == v.ID && s.Revision == v.Revision {
			v.Revision++
			f.silences[i] = v
			return v, f.err
		}
	}
	return v, api.ErrStale
}

func (f *fake) Tail(ctx context.Context, fn func(any) error) error { return f.tail(ctx, fn) }

func handler(f *fake) http.Handler {
	return api.New(config(f))
}

func clock() time.Time { return now }

func config(f *fake) api.Config {
	return api.Config{Backend: f, Token: token, Store: &authtest.Memory{Now: clock}, Console: console.Handler(), Now: clock}
}

// ask makes one request with the token.
func ask(h http.Handler, method, path, body string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer "+token)
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// isProblem checks the form that every error has.
func isProblem(t *testing.T, w *httptest.ResponseRecorder) {
	t.Helper()
	var p struct {
		Type, Title, Detail string
		Status              int
	}
	if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil {
		t.Fatalf("%v: %s", err, w.Body)
	}
	if ct := w.Header().Get("Content-Type"); ct != "application/problem+json" {
		t.Errorf("content type %q", ct)
	}
	if !strings.HasPrefix(p.Type, "https://tocsin.dev/problems/") || p.Status != w.Code || p.Title == "" || p.Detail == "" {
		t.Errorf("not a problem of ours: %s", w.Body)
	}
}
