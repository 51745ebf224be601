// SPDX-License-Identifier: Apache-2.0

package api_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"tocsin/api"
	"tocsin/event"
	"tocsin/incident"
)

// send makes a request with headers, given as name and value.
func send(h http.Handler, method, path, body string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer "+token)
	r.Header.Set("Content-Type", "application/merge-patch+json")
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestReadsWithAnETag(t *testing.T) {
	t.Parallel()
	h := handler(&fake{})
	path := "/api/v1/incidents/" + known
	if w := send(h, "GET", path, ""); w.Code != http.StatusOK || w.Header().Get("ETag") != `"3-1"` {
		t.Errorf("%d, ETag %s", w.Code, w.Header().Get("ETag"))
	}
	for header, want := range map[string]int{
		`"3-1"`: 304, `W/"3-1"`: 304, `"1-1", "3-1"`: 304, "*": 304, `"3-2"`: 200, "3-1": 200, `"`: 200, "": 200,
	} {
		w := send(h, "GET", path, "", "If-None-Match", header)
		if w.Code != want || w.Header().Get("ETag") != `"3-1"` || (want == 304) != (w.Body.Len() == 0) {
			t.Errorf("If-None-Match: %s: %d, ETag %s: %s", header, w.Code, w.Header().Get("ETag"), w.Body)
		}
	}
}

func TestPatch(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, body, match string
		refuse            error
		code              int
		want              string // of the work, or of the problem
	}{
		{"status", `{"status":"on_hold"}`, `"3-1"`, nil, 200, "on_hold <nil> [3-1]"},
		{"assignee", `{"assignee":" ana "}`, `"3-1"`, nil, 200, "<nil> ana [3-1]"},
		{"null is nobody", `{"assignee":null}`, `"3-1"`, nil, 200, "<nil>  [3-1]"},
		{"closing", `{"status":"closed","verdict":"benign"}`, `"3-1"`, nil, 200, "closed <nil> [3-1]"},
		{"any state", `{}`, "*", nil, 200, "<nil> <nil> any"},
		{"a weak tag matches none", `{}`, `W/"3-1"`, nil, 200, "<nil> <nil> []"},
		{"no If-Match", `{"status":"on_hold"}`, "", nil, 428, "send the ETag"},
		{"changed meanwhile", `{}`, `"1-1"`, incident.ErrChanged, 412, "nothing was done"},
		{"a closed one", `{"status":"new"}`, `"3-1"`, incident.ErrFinal, 409, "closing is final"},
		{"a merged one", `{"status":"new"}`, `"3-1"`, &incident.MergedError{Into: other}, 409, other},
		{"no such status", `{"status":"open"}`, `"3-1"`, nil, 422, "status"},
		{"null is no status", `{"status":null}`, `"3-1"`, nil, 422, "status"},
		{"closing without a verdict", `{"status":"closed"}`, `"3-1"`, nil, 422, "verdict: closing wants one"},
		{"a verdict without closing", `{"verdict":"benign"}`, `"3-1"`, nil, 422, "verdict: it goes with"},
		{"unknown field", `{"title":"x"}`, `"3-1"`, nil, 422, "title"},
		{"no name", `{"assignee":5}`, `"3-1"`, nil, 422, "assignee"},
		{"a name of control characters", `{"assignee":"a\u001bb"}`, `"3-1"`, nil, 422, "U+001B"},
		{"a long name", `{"assignee":"` + strings.Repeat("x", 201) + `"}`, `"3-1"`, nil, 422, "assignee: it has 201"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := &fake{refuse: tt.refuse}
			w := send(handler(f), "PATCH", "/api/v1/incidents/"+known, tt.body, "If-Match", tt.match)
			if w.Code != tt.code {
				t.Fatalf("%d %s", w.Code, w.Body)
			}
			if tt.code != http.StatusOK {
				if isProblem(t, w); !strings.Contains(w.Body.String(), tt.want) {
					t.Errorf("%s, want %q", w.Body, tt.want)
				}
				return
			}
			if w.Header().Get("ETag") != `"3-1"` {
				t.Errorf("ETag %s", w.Header().Get("ETag"))
			}
			status, assignee, match := "<nil>", "<nil>", "any"
			if f.work.Status != nil {
				status = string(*f.work.Status)
			}
			if f.work.Assignee != nil {
				assignee = *f.work.Assignee
			}
			if f.work.If != nil {
				match = fmt.Sprint(f.work.If)
			}
			if got := status + " " + assignee + " " + match; got != tt.want || f.work.By != "admin" {
				t.Errorf("work %q by %q, want %q", got, f.work.By, tt.want)
			}
		})
	}
}

func TestComments(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, body string
		refuse     error
		code       int
		want       string
	}{
		{"text", `{"text":" a\r\nb\tc <b> "}`, nil, 201, "a\nb\tc <b>"},
		{"as much as may be", `{"text":"` + strings.Repeat("x", 10<<10) + `"}`, nil, 201, ""},
		{"more", `{"text":"` + strings.Repeat("x", 10<<10+1) + `"}`, nil, 422, "may have 10240"},
		{"none", `{"text":" \n"}`, nil, 422, "text: it is empty"},
		{"no field", `{}`, nil, 422, "text"},
		{"control characters", `{"text":"a\u0000b"}`, nil, 422, "U+0000"},
		{"a key that was used for another", `{"text":"a"}`, incident.ErrKeyTaken, 422, "Idempotency-Key"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := &fake{refuse: tt.refuse}
			w := send(handler(f), "POST", "/api/v1/incidents/"+known+"/comments", tt.body, "Idempotency-Key", "k1")
			if w.Code != tt.code {
				t.Fatalf("%d %s", w.Code, w.Body)
			}
			if tt.code != http.StatusCreated {
				if isProblem(t, w); !strings.Contains(w.Body.String(), tt.want) {
					t.Errorf("%s, want %q", w.Body, tt.want)
				}
				return
			}
			var a incident.Act
			if err := json.Unmarshal(w.Body.Bytes(), &a); err != nil || a.ID != 5 || a.Actor != "admin" || f.work.Key != "k1" {
				t.Errorf("%v: %.200s, key %q", err, w.Body, f.work.Key)
			}
			if tt.want != "" && f.work.Comment != tt.want {
				t.Errorf("%q, want %q", f.work.Comment, tt.want)
			}
		})
	}
}

func TestBulk(t *testing.T) {
	t.Parallel()
	f := &fake{}
	w := send(handler(f), "POST", "/api/v1/incidents/bulk", `{"ids":["`+known+`","`+other+`","x"],"assignee":"ana","comment":"c"}`, "Idempotency-Key", "k")
	var page struct{ Items []api.BulkResult }
	if err := json.Unmarshal(w.Body.Bytes(), &page); err != nil || len(page.Items) != 3 {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	for i, want := range []int{200, 404, 404} {
		if r := page.Items[i]; r.Status != want || (r.Problem == nil) != (want == 200) {
			t.Errorf("%d: %+v, want %d", i, r, want)
		}
	}
	if f.work.Key != "k/"+known || f.work.Comment != "c" || f.work.Assignee == nil || f.work.Status != nil || f.work.If != nil {
		t.Errorf("%+v", f.work)
	}
	ids := `"` + strings.Repeat(known+`","`, 500) + known + `"`
	for name, body := range map[string]string{
		"no ids": `{"ids":[],"status":"new"}`, "null": `{"ids":null,"status":"new"}`, "nothing to do": `{"ids":["` + known + `"]}`,
		"one twice": `{"ids":["` + known + `","` + known + `"],"status":"new"}`, "more than 500": `{"ids":[` + ids + `],"status":"new"}`,
		"no verdict": `{"ids":["` + known + `"],"status":"closed"}`, "a bad comment": `{"ids":["` + known + `"],"comment":"\u0007"}`,
	} {
		if w := send(handler(&fake{}), "POST", "/api/v1/incidents/bulk", body); w.Code != http.StatusUnprocessableEntity {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
	}
}

func TestExports(t *testing.T) {
	t.Parallel()
	for format, want := range map[string][3]string{
		"json": {"application/json", "incident-01234567.json", `"n": 9007199254740993`}, "markdown": {"text/markdown; charset=utf-8", "incident-01234567.md", "# Incident: ` <b> `"},
		"ocsf": {"application/json", "incident-01234567.ocsf.json", `"class_uid": 2005`},
	} {
		w := send(handler(&fake{}), "GET", "/api/v1/incidents/"+known+"/export?format="+format, "")
		h := w.Header()
		if w.Code != http.StatusOK || h.Get("Content-Type") != want[0] || h.Get("Content-Disposition") != `attachment; filename="`+want[1]+`"` || !strings.Contains(w.Body.String(), want[2]) {
			t.Errorf("%s: %d %v\n%s", format, w.Code, h, w.Body)
		}
	}
	if w := send(handler(&fake{}), "GET", "/api/v1/incidents/"+known+"/export?format=pdf", ""); w.Code != http.StatusUnprocessableEntity {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

func TestAnEntity(t *testing.T) {
	t.Parallel()
	w := send(handler(&fake{}), "GET", "/api/v1/entities/pod/shop%2Fweb-1", "")
	var got api.EntityView
	if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
		t.Fatalf("%v: %s", err, w.Body)
	}
	// High and open: 0.5 × 0.7, half of it after a week; what was a false positive weighs nothing.
	if got.Risk != 17.5 || got.Open != 1 || got.Incidents != 2 || !got.More || len(got.OpenIncidents) != 1 || got.LastSeen-got.FirstSeen != 9 || got.Name != "shop/web-1" {
		t.Errorf("%+v", got)
	}
	if n := len(got.RiskOverTime); n != 31 || got.RiskOverTime[30].Risk != got.Risk || got.RiskOverTime[30].At-got.RiskOverTime[29].At != event.Stamp(24*time.Hour) {
		t.Errorf("over time it is %+v", got.RiskOverTime)
	}
	if w := send(handler(&fake{}), "GET", "/api/v1/entities/pod/none", ""); w.Code != http.StatusNotFound {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

func TestTimelineIsAsked(t *testing.T) {
	t.Parallel()
	f := &fake{next: "more"}
	w := send(handler(f), "GET", "/api/v1/incidents/"+known+"/timeline?kind=act,alert&limit=7", "")
	if w.Code != http.StatusOK || len(f.moments.Kinds) != 2 || f.moments.Limit != 7 || !strings.Contains(w.Header().Get("Link"), "cursor=more") {
		t.Errorf("%d %+v %s", w.Code, f.moments, w.Header().Get("Link"))
	}
	if w := send(handler(f), "GET", "/api/v1/incidents/"+known+"/timeline?kind=acts", ""); w.Code != http.StatusUnprocessableEntity || !strings.Contains(w.Body.String(), "event, detection, act, alert") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

func TestMerging(t *testing.T) {
	t.Parallel()
	path := "/api/v1/incidents/" + known
	f := &fake{}
	if w := send(handler(f), "POST", path+"/merge", `{"into":"`+other+`"}`); w.Code != http.StatusOK || f.by != "merged into "+other+" by admin" || w.Header().Get("ETag") == "" {
		t.Errorf("%d %q %s", w.Code, f.by, w.Body)
	}
	if w := send(handler(f), "POST", path+"/unmerge", ""); w.Code != http.StatusOK || f.by != "taken out by admin" {
		t.Errorf("%d %q %s", w.Code, f.by, w.Body)
	}
	f.refuse = &incident.JoinError{Why: "it is a circle"}
	if w := send(handler(f), "POST", path+"/merge", `{"into":"`+other+`"}`); w.Code != http.StatusConflict || !strings.Contains(w.Body.String(), "it is a circle") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	for _, body := range []string{`{}`, `{"into":"x"}`, ``} {
		if w := send(handler(&fake{}), "POST", path+"/merge", body); w.Code/100 != 4 {
			t.Errorf("%s: %d %s", body, w.Code, w.Body)
		}
	}
}
