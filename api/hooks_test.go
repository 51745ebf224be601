// SPDX-License-Identifier: Apache-2.0

package api_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tocsin/alert"
	"tocsin/api"
	"tocsin/api/auth"
	"tocsin/api/auth/authtest"
	"tocsin/incident"
)

const hookSecret = "a secret of sixteen or more"

// hooked is a server that takes what PagerDuty and Slack say back.
func hooked(f *fake) (http.Handler, *authtest.Memory) {
	c, store := config(f), &authtest.Memory{Now: clock}
	secrets := []string{strings.Repeat("another", 4), hookSecret}
	c.Store, c.Hooks = store, alert.NewHooks(alert.Config{Receivers: []alert.Receiver{{Type: alert.PagerDuty, Secrets: secrets}, {Type: alert.Slack, Secrets: secrets}}})
	return api.New(c), store
}

func hexMAC(text string) string {
	mac := hmac.New(sha256.New, []byte(hookSecret))
	mac.Write([]byte(text))
	return hex.EncodeToString(mac.Sum(nil))
}

func post(h http.Handler, path, kind, body string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodPost, path, strings.NewReader(body))
	r.Header.Set("Content-Type", kind)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// pagerDuty posts a webhook as PagerDuty does: with a signature under each secret, of which we may know one.
func pagerDuty(h http.Handler, kind, agent, body string) *httptest.ResponseRecorder {
	if body == "" {
		body = fmt.Sprintf(`{"event":{"id":"01E","event_type":"incident.%s","resource_type":"incident","agent":{"type":"%s","summary":"Tex\nTennison","id":"P1"},
"data":{"id":"PG","type":"incident","status":"x","incident_key":"%s"}}}`, kind, agent, known)
	}
	return post(h, "/api/v1/hooks/pagerduty", "application/json", body, "X-PagerDuty-Signature", "v1="+strings.Repeat("0", 64)+",v1="+hexMAC(body))
}

// pressed posts the button of a message as Slack does.
func pressed(h http.Handler, at time.Time, action string) *httptest.ResponseRecorder {
	return pressedAt(h, at, action, "https://nowhere.example.org/")
}

func pressedAt(h http.Handler, at time.Time, action, answer string) *httptest.ResponseRecorder {
	body := url.Values{"payload": {fmt.Sprintf(`{"type":"block_actions","user":{"id":"U1","username":"ana"},"response_url":%q,"actions":[{"action_id":%q,"value":%q,"action_ts":"17.5"}]}`, answer, action, known)}}.Encode()
	stamp := strconv.FormatInt(at.Unix(), 10)
	return post(h, "/api/v1/hooks/slack", "application/x-www-form-urlencoded", body,
		"X-Slack-Request-Timestamp", stamp, "X-Slack-Signature", "v0="+hexMAC("v0:"+stamp+":"+body))
}

// TestWhatReceiversSayBack is done by the name of who said it, and is in the audit log; what is no step on, or no person's, is not done.
func TestWhatReceiversSayBack(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		status incident.Status
		say    func(http.Handler) *httptest.ResponseRecorder
		want   incident.Status // "" if nothing is done
		by     string
		key    string
	}{
		{"acknowledged", incident.New, func(h http.Handler) *httptest.ResponseRecorder {
			return pagerDuty(h, "acknowledged", "user_reference", "")
		}, incident.InProgress, "pagerduty:Tex Tennison", "01E"},
		{"resolved", incident.OnHold, func(h http.Handler) *httptest.ResponseRecorder { return pagerDuty(h, "resolved", "user_reference", "") }, incident.Resolved, "pagerduty:Tex Tennison", "01E"},
		{"acknowledged late", incident.Resolved, func(h http.Handler) *httptest.ResponseRecorder {
			return pagerDuty(h, "acknowledged", "user_reference", "")
		}, "", "", ""},
		{"resolved when closed", incident.Closed, func(h http.Handler) *httptest.ResponseRecorder { return pagerDuty(h, "resolved", "user_reference", "") }, "", "", ""},
		{"our own echo", incident.New, func(h http.Handler) *httptest.ResponseRecorder {
			return pagerDuty(h, "resolved", "inbound_integration_reference", "")
		}, "", "", ""},
		{"another event", incident.New, func(h http.Handler) *httptest.ResponseRecorder {
			return pagerDuty(h, "annotated", "user_reference", "")
		}, "", "", ""},
		{"a ping", incident.New, func(h http.Handler) *httptest.ResponseRecorder {
			return pagerDuty(h, "", "", `{"event":{"id":"1","event_type":"pagey.ping","data":{"message":"hi"}}}`)
		}, "", "", ""},
		{"a button", incident.New, func(h http.Handler) *httptest.ResponseRecorder { return pressed(h, now, "tocsin_acknowledge") }, incident.InProgress, "slack:ana", "U1 17.5"},
		{"another app's button", incident.New, func(h http.Handler) *httptest.ResponseRecorder { return pressed(h, now, "other") }, "", "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := &fake{status: tt.status}
			h, store := hooked(f)
			if w := tt.say(h); w.Code/100 != 2 || w.Body.Len() != 0 {
				t.Fatalf("%d: %s", w.Code, w.Body)
			}
			entries, _, err := store.Audit(t.Context(), auth.EntryFilter{})
			if err != nil {
				t.Fatal(err)
			}
			if tt.want == "" {
				if f.work.Status != nil || len(entries) != 0 {
					t.Errorf("it did %+v, and wrote %+v", f.work, entries)
				}
				return
			}
			want := incident.Work{Status: &tt.want, By: tt.by, Key: tt.key, If: []string{"3-1"}}
			if diff := cmp.Diff(want, f.work); diff != "" {
				t.Error(diff)
			}
			via, _, _ := strings.Cut(tt.by, ":")
			if len(entries) != 1 || entries[0].Actor != tt.by || entries[0].Via != via || entries[0].Operation != "hook-"+via ||
				entries[0].Object != "/api/v1/incidents/"+known || entries[0].Outcome != auth.Done {
				t.Errorf("the audit log has %+v", entries)
			}
		})
	}
}

// TestWhatIsNotBelieved changes nothing, is in no audit log, and says why.
func TestWhatIsNotBelieved(t *testing.T) {
	t.Parallel()
	f := &fake{status: incident.New}
	h, store := hooked(f)
	for name, w := range map[string]*httptest.ResponseRecorder{
		"no signature":   post(h, "/api/v1/hooks/pagerduty", "application/json", `{}`),
		"a wrong one":    post(h, "/api/v1/hooks/pagerduty", "application/json", `{}`, "X-PagerDuty-Signature", "v1="+hexMAC(`{ }`)),
		"Slack's, none":  post(h, "/api/v1/hooks/slack", "application/x-www-form-urlencoded", "payload={}", "X-Slack-Request-Timestamp", strconv.FormatInt(now.Unix(), 10)),
		"Slack's, old":   pressed(h, now.Add(-6*time.Minute), "tocsin_acknowledge"),
		"Slack's, early": pressed(h, now.Add(6*time.Minute), "tocsin_acknowledge"),
	} {
		isProblem(t, w)
		if w.Code != http.StatusUnauthorized || !strings.Contains(w.Body.String(), "#hook-signature") || w.Header().Get("WWW-Authenticate") == "" {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
	}
	for want, w := range map[int]*httptest.ResponseRecorder{
		http.StatusUnprocessableEntity:   pagerDuty(h, "", "", `[`),
		http.StatusRequestEntityTooLarge: pagerDuty(h, "", "", strings.Repeat("x", 512<<10+1)),
		http.StatusNotFound:              pagerDuty(handler(f), "acknowledged", "user_reference", ""), // without secrets
	} {
		isProblem(t, w)
		if w.Code != want {
			t.Errorf("%d, want %d: %s", w.Code, want, w.Body)
		}
	}
	if entries, _, err := store.Audit(t.Context(), auth.EntryFilter{}); err != nil || len(entries) != 0 || f.work.By != "" {
		t.Errorf("%+v, %v; it did %+v", entries, err, f.work)
	}
}

// TestARecipientThatCannotAct: what another try may mend is told so, what it cannot is taken.
func TestARecipientThatCannotAct(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		refuse  error
		err     error
		want    int
		refused int
	}{
		{"closed meanwhile", incident.ErrFinal, nil, 204, 1},
		{"merged", &incident.MergedError{Into: other}, nil, 204, 1},
		{"changed again and again", incident.ErrChanged, nil, 503, 4},
		{"no store", nil, errors.New("hunter2"), 503, 0},
		{"no store to write to", errors.New("hunter2"), nil, 503, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := &fake{status: incident.New, refuse: tt.refuse, err: tt.err}
			h, _ := hooked(f)
			w := pagerDuty(h, "acknowledged", "user_reference", "")
			if w.Code != tt.want || f.refused != tt.refused || strings.Contains(w.Body.String(), "hunter2") {
				t.Errorf("%d after %d tries: %s", w.Code, f.refused, w.Body)
			}
		})
	}
}

// TestWhoPressedInVain is told so, alone, where Slack takes it; and by the answer itself where it does not.
func TestWhoPressedInVain(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		backend *fake
		want    string
	}{
		{"somebody works on it", &fake{status: incident.InProgress}, "Nothing was changed: the incident is in progress already."},
		{"closed", &fake{status: incident.Closed}, "Nothing was changed: the incident is closed already."},
		{"closed meanwhile", &fake{status: incident.New, refuse: incident.ErrFinal}, "Nothing was changed: the incident is closed."},
		{"merged", &fake{status: incident.New, refuse: &incident.MergedError{Into: other}}, "Nothing was changed: the incident was merged into another one, or is not there any more."},
		{"done", &fake{status: incident.New}, ""},
	} {
		for _, code := range []int{http.StatusOK, http.StatusNotFound} {
			t.Run(fmt.Sprint(tt.name, code), func(t *testing.T) {
				t.Parallel()
				var said []map[string]any
				slack := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					var m map[string]any
					if err := json.NewDecoder(r.Body).Decode(&m); err != nil || r.URL.Path != "/actions/T1/1/hush" {
						t.Errorf("%v: %s", err, r.URL)
					}
					said = append(said, m)
					w.WriteHeader(code)
				}))
				defer slack.Close()
				c := config(&fake{status: tt.backend.status, refuse: tt.backend.refuse})
				c.Store = &authtest.Memory{Now: clock}
				c.Hooks = alert.NewHooks(alert.Config{Receivers: []alert.Receiver{{Type: alert.Slack, URL: slack.URL + "/api/", Secrets: []string{hookSecret}}}})
				w := pressedAt(api.New(c), now, "tocsin_acknowledge", slack.URL+"/actions/T1/1/hush")
				var want []map[string]any
				status := http.StatusOK
				if tt.want != "" {
					want = []map[string]any{{"response_type": "ephemeral", "replace_original": false, "text": tt.want}}
					if code != http.StatusOK {
						status = http.StatusServiceUnavailable
					}
				}
				if diff := cmp.Diff(want, said); diff != "" || w.Code != status || strings.Contains(w.Body.String(), "hush") {
					t.Errorf("%d %s%s", w.Code, w.Body, diff)
				}
			})
		}
	}
}

// TestNobodyIsToldWhereSlackIsNot: a response_url that is somebody else's is not asked, and the answer itself says why nothing was done.
func TestNobodyIsToldWhereSlackIsNot(t *testing.T) {
	t.Parallel()
	elsewhere := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { t.Errorf("it came: %s", r.URL) }))
	defer elsewhere.Close()
	h, _ := hooked(&fake{status: incident.Closed})
	for _, answer := range []string{elsewhere.URL, "", "https://hooks.slack.com.example.org/actions/T1", "http://hooks.slack.com/actions/T1", "://"} {
		if w := pressedAt(h, now, "tocsin_acknowledge", answer); w.Code != http.StatusServiceUnavailable || !strings.Contains(w.Body.String(), "closed already") {
			t.Errorf("%s: %d %s", answer, w.Code, w.Body)
		}
	}
}
