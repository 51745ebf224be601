// SPDX-License-Identifier: Apache-2.0

package api_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"tocsin/api"
)

func TestSilencesAreMadeChangedAndEnded(t *testing.T) {
	t.Parallel()
	f := &fake{}
	h := handler(f)
	read := func(w *httptest.ResponseRecorder) (v api.SilenceView) {
		t.Helper()
		if err := json.Unmarshal(w.Body.Bytes(), &v); err != nil {
			t.Fatalf("%v: %s", err, w.Body)
		}
		return v
	}
	w := ask(h, http.MethodPost, "/api/v1/silences", `{"matchers":["rule=shell","severity =~ \"low|medium\""],"comment":"a test","ends":"4h"}`)
	v := read(w)
	if w.Code != http.StatusCreated || w.Header().Get("ETag") != `"1"` || v.Creator != "admin" || v.State != "active" || v.Matchers[0] != `rule="shell"` ||
		v.Ends.String() != "2026-11-20T14:00:00Z" || v.Starts.String() != "2026-11-20T10:00:00Z" {
		t.Fatalf("%d %v %s", w.Code, w.Header(), w.Body)
	}
	one := "/api/v1/silences/" + v.ID
	patch := func(tag, body string) *httptest.ResponseRecorder {
		r := httptest.NewRequest(http.MethodPatch, one, strings.NewReader(body))
		r.Header.Set("Authorization", "Bearer "+token)
		r.Header.Set("Content-Type", "application/json")
		if tag != "" {
			r.Header.Set("If-Match", tag)
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w
	}
	for _, tt := range []struct {
		tag, body string
		want      int
	}{
		{"", `{"ends":"5h"}`, 428},
		{`"7"`, `{"ends":"5h"}`, 412},
		{`"1"`, `{"ends":"5h"}`, 200},
		{`"1"`, `{"ends":"6h"}`, 412},
		{`"2"`, `{"ends":"2020-01-01T00:00:00Z"}`, 422},
		{`"2"`, `{"matchers":["nonsense"]}`, 422},
		{`*`, `{"comment":"else"}`, 200},
	} {
		w := patch(tt.tag, tt.body)
		if w.Code != tt.want {
			t.Errorf("PATCH %s with %q: %d, want %d: %s", tt.body, tt.tag, w.Code, tt.want, w.Body)
		}
		if tt.want >= 400 {
			isProblem(t, w)
		}
	}
	if got := read(ask(h, http.MethodGet, one, "")); got.Comment != "else" || got.Ends.String() != "2026-11-20T15:00:00Z" || got.Revision != 3 || len(got.Matchers) != 2 {
		t.Errorf("%+v", got)
	}
	for range 2 { // ending it twice is ending it
		if w := ask(h, http.MethodDelete, one, ""); w.Code != http.StatusNoContent {
			t.Errorf("%d %s", w.Code, w.Body)
		}
	}
	if got := read(ask(h, http.MethodGet, one, "")); got.State != "expired" || got.Revision != 4 {
		t.Errorf("%+v", got)
	}
	for query, want := range map[string]int{"": 0, "?all=true": 1} {
		var page struct{ Items []api.SilenceView }
		if err := json.Unmarshal(ask(h, http.MethodGet, "/api/v1/silences"+query, "").Body.Bytes(), &page); err != nil || len(page.Items) != want {
			t.Errorf("silences%s: %d, %v", query, len(page.Items), err)
		}
	}
}

func TestBadSilencesAreRefused(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]string{
		`{"matchers":[],"comment":"c","ends":"1h"}`:                                         "matchers",
		`{"matchers":["severity"],"comment":"c","ends":"1h"}`:                               `write name=`,
		`{"matchers":["sevrity=low"],"comment":"c","ends":"1h"}`:                            "there is no label",
		`{"matchers":["rule=~\"(\""],"comment":"c","ends":"1h"}`:                            "missing closing",
		`{"matchers":["rule!=x"],"comment":"c","ends":"1h"}`:                                "match every incident",
		`{"matchers":["rule=x"],"comment":" ","ends":"1h"}`:                                 "comment",
		`{"matchers":["rule=x"],"comment":"c","ends":"never"}`:                              "ends",
		`{"matchers":["rule=x"],"comment":"c"}`:                                             "ends",
		`{"matchers":["rule=x"],"comment":"c","ends":"2y"}`:                                 "ends",
		`{"matchers":["rule=x"],"comment":"c","ends":"1h","starts":"yesterday"}`:            "starts",
		`{"matchers":["rule=x"],"comment":"c","ends":"1h","starts":"2020-01-01T00:00:00Z"}`: "over already",
		`{"matchers":["rule=x"],"comment":"c","ends":"1h","owner":"ana"}`:                   "owner",
	} {
		w := ask(handler(&fake{}), http.MethodPost, "/api/v1/silences", body)
		if w.Code != http.StatusUnprocessableEntity || !strings.Contains(w.Body.String(), want) {
			t.Errorf("%s: %d %s, want %q", body, w.Code, w.Body, want)
		}
		isProblem(t, w)
	}
}

// TestPreviewOfASilence: it says how many open incidents it would match of how many that were looked at, and names the first.
func TestPreviewOfASilence(t *testing.T) {
	t.Parallel()
	for matchers, want := range map[string]int{"matcher=severity%3Dhigh": 5000, "matcher=severity%3Dhigh&matcher=rule%3Dnone": 0} {
		w := ask(handler(&fake{}), http.MethodGet, "/api/v1/silences/preview?"+matchers, "")
		var p api.SilencePreview
		if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil || p.Open != 5000 || !p.More || p.Matched != want || len(p.Incidents) != min(want, 10) {
			t.Errorf("%s: %d %.400s", matchers, w.Code, w.Body)
		}
	}
	for _, bad := range []string{"", "matcher=sevrity%3Dlow", "matcher=severity"} {
		if w := ask(handler(&fake{}), http.MethodGet, "/api/v1/silences/preview?"+bad, ""); w.Code != http.StatusUnprocessableEntity {
			t.Errorf("%q: %d %s", bad, w.Code, w.Body)
		}
	}
}

func TestReceiversAndRetries(t *testing.T) {
	t.Parallel()
	f := &fake{}
	h := handler(f)
	if w := ask(h, http.MethodGet, "/api/v1/receivers", ""); w.Code != http.StatusOK || !strings.Contains(w.Body.String(), `"state":"failing"`) {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	w := ask(h, http.MethodPost, "/api/v1/alerts/retry", `{"since":"24h","receiver":"soc"}`)
	if w.Code != http.StatusOK || !strings.Contains(w.Body.String(), `"alerts":4`) || f.receiver != "soc" || f.since != now.AddDate(0, 0, -1).UnixNano() {
		t.Errorf("%d %s, since %d of %q", w.Code, w.Body, f.since, f.receiver)
	}
	for _, body := range []string{`{"since":""}`, `{}`, `{"since":"long ago"}`} {
		if w := ask(h, http.MethodPost, "/api/v1/alerts/retry", body); w.Code != http.StatusUnprocessableEntity {
			t.Errorf("%s: %d %s", body, w.Code, w.Body)
		}
	}
}
