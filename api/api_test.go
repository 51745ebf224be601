// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"encoding/json"
	"flag"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"tocsin/api/auth/authtest"
	"tocsin/incident"
	"tocsin/rules"
)

var update = flag.Bool("update", false, "rewrite docs/openapi.json")

// noBackend answers nothing: what is tested here comes before it.
type noBackend struct{}

func (noBackend) Incidents(_ context.Context, f incident.Filter) ([]incident.View, string, error) {
	if f.Cursor == "bad" {
		return nil, "", incident.ErrBadCursor
	}
	return nil, "more", nil
}

func (noBackend) Incident(context.Context, string) (incident.View, error) {
	return incident.View{}, incident.ErrNotFound
}

func (noBackend) Evidence(context.Context, string, int, string) ([]incident.EvidenceItem, string, error) {
	return nil, "", incident.ErrNotFound
}

func (noBackend) InScope(context.Context, incident.Scope, ...string) (map[string]bool, error) {
	return nil, nil
}

func (noBackend) Work(context.Context, string, incident.Work) (incident.Done, error) {
	return incident.Done{}, incident.ErrNotFound
}

func (noBackend) Merge(context.Context, string, string, string) (incident.Done, error) {
	return incident.Done{}, incident.ErrNotFound
}

func (noBackend) Unmerge(context.Context, string, string) (incident.Done, error) {
	return incident.Done{}, incident.ErrNotFound
}

func (noBackend) Related(context.Context, string, incident.Scope, int) ([]incident.Related, error) {
	return nil, nil
}

func (noBackend) Sightings(context.Context, string, string, incident.Scope) ([]incident.Sighting, bool, error) {
	return nil, false, nil
}

func (noBackend) Timeline(context.Context, string, incident.TimelineFilter) ([]incident.Moment, string, error) {
	return nil, "", nil
}

func (noBackend) Close(context.Context, string, incident.Verdict, string) (incident.View, error) {
	return incident.View{}, ErrClosed
}
func (noBackend) Rules() []*rules.Rule { return nil }

func (noBackend) Receivers(context.Context) ([]ReceiverView, error) { return nil, nil }

func (noBackend) RetryAlerts(context.Context, int64, string) (int64, error) { return 0, nil }

func (noBackend) Silences(context.Context, bool, int, string) ([]SilenceView, string, error) {
	return nil, "", nil
}

func (noBackend) Silence(context.Context, string) (SilenceView, error) {
	return SilenceView{}, incident.ErrNotFound
}

func (noBackend) OpenIncidents(context.Context, int) ([]incident.View, error) { return nil, nil }

func (noBackend) AddSilence(context.Context, SilenceView) (SilenceView, error) {
	return SilenceView{}, nil
}

func (noBackend) SetSilence(context.Context, SilenceView) (SilenceView, error) {
	return SilenceView{}, nil
}

func (noBackend) ReloadRules(context.Context) (Reloaded, error) {
	return Reloaded{}, &BadRulesError{[]string{"a.yml:3: rule \"x\": no such field", "b.yml:1: no title"}}
}

func (noBackend) RuleStats(context.Context) (map[string]map[string]int64, error) { return nil, nil }
func (noBackend) Status(context.Context) (Status, error)                         { return Status{}, nil }

func (noBackend) Alerts(context.Context, string, int, string) ([]AlertView, string, error) {
	return nil, "", nil
}
func (noBackend) Sources(context.Context) ([]SourceView, error) { return nil, nil }

func (noBackend) RetryAlert(context.Context, int64) error { return nil }
func (noBackend) ChangedIncidents(context.Context, string, int) ([]incident.Changed, error) {
	return nil, nil
}

func (noBackend) ChangedDetections(context.Context, string, int) ([]incident.ChangedDetection, error) {
	return nil, nil
}

func (noBackend) LastDetection(context.Context) (string, error) { return "", incident.ErrNotFound }

func (noBackend) Deliveries(context.Context, string, int) ([]Delivered, error) { return nil, nil }

func (noBackend) LastDelivery(context.Context) (string, error) { return "", incident.ErrNotFound }

func (noBackend) LastChange(context.Context) (string, error) { return "", incident.ErrNotFound }

func (noBackend) Quarantine(context.Context, QuarantineFilter) ([]QuarantineView, string, error) {
	return nil, "", nil
}

func (noBackend) QuarantineEntry(context.Context, LogPlace) (QuarantineView, error) {
	return QuarantineView{}, incident.ErrNotFound
}

func (noBackend) ReleaseQuarantine(context.Context, LogPlace) (int, error) {
	return 0, &UnreadableError{"malformed_json: no object"}
}

func (noBackend) ReleaseAllQuarantine(context.Context, QuarantineFilter) (Released, error) {
	return Released{}, ErrBusy
}

func (noBackend) TraceRule(context.Context, TraceQuery) (RuleTrace, error) {
	return RuleTrace{}, &BadTraceError{"body.events[1]", "event 2: no such field"}
}

func (noBackend) CheckRules(context.Context, string) (RuleCheck, error) { return RuleCheck{}, ErrBusy }

func (noBackend) RuleSource(string) (RuleSource, error) { return RuleSource{}, incident.ErrNotFound }
func (noBackend) RuleOf(context.Context, string, string) (RuleSource, error) {
	return RuleSource{}, incident.ErrNotFound
}

func (noBackend) StartBacktest(context.Context, BacktestStart) (Backtest, error) {
	return Backtest{}, &BadRulesError{[]string{"posted.yml:1: no title"}}
}

func (noBackend) Backtest(context.Context, string) (Backtest, error) {
	return Backtest{}, incident.ErrNotFound
}

func (noBackend) CancelBacktest(context.Context, string) error { return incident.ErrNotFound }

func (noBackend) NearMisses(context.Context, string, incident.Scope) (NearMisses, error) {
	return NearMisses{}, incident.ErrNotFound
}

func (noBackend) SearchEvents(context.Context, EventSearch) (EventPage, error) {
	return EventPage{}, ErrBusy
}

func (noBackend) FollowEvents(context.Context, EventFilter, *LogPlace, func(EventPlace) error) error {
	return nil
}
func (noBackend) Tail(context.Context, func(any) error) error { return nil }

func handler() http.Handler {
	now := func() time.Time { return time.Unix(1_700_000_000, 0) }
	return New(Config{Backend: noBackend{}, Token: "secret", Store: &authtest.Memory{Now: now}, Now: now})
}

func TestAnswers(t *testing.T) {
	t.Parallel()
	const id = "0123456789abcdef0123456789abcdef"
	tests := []struct {
		name, method, path, token, body string
		code                            int
		want                            string
	}{
		{"no token", "GET", "/api/v1/incidents", "", "", 401, "Authorization: Bearer TOKEN"},
		{"wrong token", "GET", "/api/v1/incidents", "secreT", "", 401, "problems/unauthorized"},
		{"rules that are wrong", "POST", "/api/v1/rules/reload", "secret", "", 422, `"errors":[{"message":"a.yml:3: rule \"x\": no such field"},{"message":"b.yml:1: no title"}]`},
		{"list", "GET", "/api/v1/incidents", "secret", "", 200, `{"items":[],"next_cursor":"more"}`},
		{"unknown severity", "GET", "/api/v1/incidents?severity=hihg", "secret", "", 422, `severity: there is no \"hihg\"`},
		{"unknown status", "GET", "/api/v1/incidents?status=new,odd", "secret", "", 422, `status: there is no \"odd\"`},
		{"entity without a type", "GET", "/api/v1/incidents?entity=ana", "secret", "", 422, "write type:name"},
		{"a time that is none", "GET", "/api/v1/incidents?since=soon", "secret", "", 422, "since: write RFC 3339"},
		{"limit", "GET", "/api/v1/incidents?limit=501", "secret", "", 422, "limit"},
		{"bad cursor", "GET", "/api/v1/incidents?cursor=bad", "secret", "", 422, "begin again without it"},
		{"not there", "GET", "/api/v1/incidents/" + id, "secret", "", 404, "problems/not-found"},
		{"no id", "GET", "/api/v1/incidents/xyz", "secret", "", 422, "id"},
		{"unknown path", "GET", "/api/v1/nothing", "secret", "", 404, "see /openapi.json"},
		{"verdict", "POST", "/api/v1/incidents/" + id + "/close", "secret", `{"verdict":"maybe"}`, 422, "verdict"},
		{"closed already", "POST", "/api/v1/incidents/" + id + "/close", "secret", `{"verdict":"benign"}`, 409, "closed already"},
		{"an expression that is none", "GET", "/api/v1/events?q=exists(user.name)+and+usr.name+%3D%3D+1", "secret", "", 422, `"errors":[{"message":"1:23: unknown field \"usr.name\" (did you mean \"user.name\"?); the source's own fields are raw.…","location":"query.q"}]`},
		{"a cursor that is none", "GET", "/api/v1/events?cursor=x", "secret", "", 422, `cursor: \"x\" is no place in the log`},
		{"searches are under way", "GET", "/api/v1/events", "secret", "", 503, "ask again"},
		{"a stream of an expression that is none", "GET", "/api/v1/events/stream?q=(", "secret", "", 422, "q: line 1"},
		{"a stream after what is no place", "GET", "/api/v1/events/stream?last_event_id=1.-1", "secret", "", 422, "Last-Event-ID"},
		{"an entry that is not there", "GET", "/api/v1/quarantine/7.0", "secret", "", 404, "problems/not-found"},
		{"an entry that stays", "POST", "/api/v1/quarantine/7.0/release", "secret", "", 422, "it cannot be read now either: malformed_json: no object"},
		{"a release is under way", "POST", "/api/v1/quarantine/release", "secret", "{}", 503, "ask again"},
		{"a time of quarantine that is none", "GET", "/api/v1/quarantine?since=soon", "secret", "", 422, "since: write RFC 3339"},
		{"a rule that is wrong", "POST", "/api/v1/backtests", "secret", `{"rule":"x"}`, 422, `"errors":[{"message":"posted.yml:1: no title","location":"body.rule"}]`},
		{"an event that is wrong", "POST", "/api/v1/rules/trace", "secret", `{"text":"x"}`, 422, `"errors":[{"message":"event 2: no such field","location":"body.events[1]"}]`},
		{"no rule", "POST", "/api/v1/backtests", "secret", `{"rule":""}`, 422, "body.rule"},
		{"a backtest of another replica", "GET", "/api/v1/backtests/x", "secret", "", 404, "another replica"},
		{"a backtest that is not there", "DELETE", "/api/v1/backtests/x", "secret", "", 404, "another replica"},
		{"near misses of no rule", "GET", "/api/v1/rules/x/near", "secret", "", 404, "no rule with this id"},
		{"openapi", "GET", "/openapi.json", "", "", 200, `"openapi":"3.1.0"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			req := httptest.NewRequest(tt.method, tt.path, strings.NewReader(tt.body))
			if tt.token != "" {
				req.Header.Set("Authorization", "Bearer "+tt.token)
			}
			if tt.body != "" {
				req.Header.Set("Content-Type", "application/json")
			}
			w := httptest.NewRecorder()
			handler().ServeHTTP(w, req)
			if w.Code != tt.code || !strings.Contains(w.Body.String(), tt.want) {
				t.Errorf("%d %s\nwant %d and %s", w.Code, w.Body, tt.code, tt.want)
			}
			if w.Code >= 400 && w.Header().Get("Content-Type") != "application/problem+json" {
				t.Errorf("an error is %s", w.Header().Get("Content-Type"))
			}
			if w.Header().Get("X-Content-Type-Options") != "nosniff" {
				t.Error("nosniff is missing")
			}
		})
	}
}

// TestOpenAPIIsAsCommitted: a change of the contract is a change of docs/openapi.json (-update).
func TestOpenAPIIsAsCommitted(t *testing.T) {
	t.Parallel()
	w := httptest.NewRecorder()
	handler().ServeHTTP(w, httptest.NewRequest("GET", "/openapi.json", nil))
	var doc any
	if err := json.Unmarshal(w.Body.Bytes(), &doc); err != nil {
		t.Fatal(err)
	}
	got, err := json.MarshalIndent(doc, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	const file = "../docs/openapi.json"
	if *update {
		if err := os.WriteFile(file, append(got, '\n'), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if string(want) != string(got)+"\n" {
		t.Error("the API is not that of docs/openapi.json; go test ./api -update rewrites it")
	}
}

func FuzzFilter(f *testing.F) {
	f.Add("new,closed", "high", "user:ana", "24h", "2026-11-01T00:00:00Z")
	f.Fuzz(func(t *testing.T, status, severity, entity, since, until string) {
		in := FilterInput{Status: []string{status}, Severity: []string{severity}, Entity: entity, Since: since, Until: until}
		out, err := in.filter(time.Unix(1_700_000_000, 0))
		if err == nil && len(out.Status) > len(status)+1 {
			t.Error("more statuses than were given")
		}
	})
}
