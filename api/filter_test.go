// SPDX-License-Identifier: Apache-2.0

package api_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tocsin/incident"
)

func TestFilters(t *testing.T) {
	t.Parallel()
	day := now.Add(-24 * time.Hour).UnixNano()
	tests := []struct {
		query string
		want  incident.Filter
	}{
		{"", incident.Filter{Limit: 50}},
		{"status=new,closed", incident.Filter{Status: []string{"new", "closed"}, Limit: 50}},
		{"status=new&status=closed", incident.Filter{Status: []string{"new", "closed"}, Limit: 50}},
		{"severity=high,low&severity=critical", incident.Filter{Severity: []string{"high", "low", "critical"}, Limit: 50}},
		{"entity=pod:shop/web:1", incident.Filter{EntityType: "pod", EntityName: "shop/web:1", Limit: 50}},
		{"rule=shell&technique=T1059.004&q=a%20b", incident.Filter{Rule: "shell", Technique: "T1059.004", Query: "a b", Limit: 50}},
		{"since=24h", incident.Filter{Since: day, Limit: 50}},
		{"until=2026-11-19T10:00:00.000000001Z", incident.Filter{Until: day + 1, Limit: 50}},
		{"since=2026-11-19T12:00:00%2B02:00", incident.Filter{Since: day, Limit: 50}},
		{"include=merged,retracted", incident.Filter{IncludeMerged: true, IncludeRetracted: true, Limit: 50}},
		{"include=merged&include=retracted", incident.Filter{IncludeMerged: true, IncludeRetracted: true, Limit: 50}},
		{"limit=500&cursor=abc", incident.Filter{Limit: 500, Cursor: "abc"}},
	}
	for _, tt := range tests {
		t.Run(tt.query, func(t *testing.T) {
			t.Parallel()
			f := &fake{}
			w := ask(handler(f), http.MethodGet, "/api/v1/incidents?"+tt.query, "")
			if w.Code != http.StatusOK {
				t.Fatalf("%d: %s", w.Code, w.Body)
			}
			if diff := cmp.Diff(tt.want, f.filter); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestBadFiltersAreNamed(t *testing.T) {
	t.Parallel()
	for query, name := range map[string]string{
		"status=open": "status", "status=new,open": "status", "severity=urgent": "severity", "entity=ana": "entity",
		"entity=:ana": "entity", "include=all": "include", "since=yesterday": "since", "until=1": "until",
		"since=0001-01-01T00:00:00Z": "since", "until=9999-01-01T00:00:00Z": "until",
		"limit=0": "limit", "limit=501": "limit", "limit=x": "limit", "sttaus=new": "sttaus",
	} {
		t.Run(query, func(t *testing.T) {
			t.Parallel()
			w := ask(handler(&fake{}), http.MethodGet, "/api/v1/incidents?"+query, "")
			if w.Code != http.StatusUnprocessableEntity || !strings.Contains(w.Body.String(), name) {
				t.Errorf("%d: %s, want 422 that names %s", w.Code, w.Body, name)
			}
			isProblem(t, w)
		})
	}
}

func FuzzQuery(f *testing.F) {
	for _, q := range []string{
		"", "status=new,closed&severity=high", "entity=pod:a/b", "since=24h&until=1h", "since=2026-11-19T10:00:00Z", "since=106751d",
		"until=2262-04-11T23:47:16.854775807Z", "limit=-1", "include=merged", "cursor=%00", "q=%ff",
	} {
		f.Add(q)
	}
	back := &fake{next: "n"}
	h := handler(back)
	f.Fuzz(func(t *testing.T, query string) {
		u := httptest.NewRequest(http.MethodGet, "/api/v1/incidents", nil)
		u.URL.RawQuery = query
		u.Header.Set("Authorization", "Bearer "+token)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, u)
		switch w.Code {
		case http.StatusOK:
			if n := back.filter.Limit; n < 1 || n > 500 {
				t.Errorf("%q asks the store for %d", query, n)
			}
		case http.StatusUnprocessableEntity:
			isProblem(t, w)
		default:
			t.Errorf("%q: %d: %s", query, w.Code, w.Body)
		}
	})
}

// The next page is the same list: its link repeats every filter.
func TestNextPageKeepsTheFilter(t *testing.T) {
	t.Parallel()
	f := &fake{next: "c/+ 2"}
	h := handler(f)
	w := ask(h, http.MethodGet, "/api/v1/incidents?status=new&status=closed&entity=user:ana&q=a%26b&include=merged&limit=7&since=2026-11-19T10:00:00Z", "")
	link, ok := strings.CutSuffix(strings.TrimPrefix(w.Header().Get("Link"), "<"), `>; rel="next"`)
	if !ok || !strings.Contains(w.Body.String(), `"next_cursor":"c/+ 2"`) {
		t.Fatalf("Link %q: %s", w.Header().Get("Link"), w.Body)
	}
	first := f.filter
	if w := ask(h, http.MethodGet, link, ""); w.Code != http.StatusOK {
		t.Fatalf("%s: %d: %s", link, w.Code, w.Body)
	}
	first.Cursor = "c/+ 2"
	if diff := cmp.Diff(first, f.filter); diff != "" {
		t.Error(diff)
	}
}
