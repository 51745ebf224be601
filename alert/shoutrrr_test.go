// SPDX-License-Identifier: Apache-2.0

package alert

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode"
	"unicode/utf8"

	"tocsin/alert/alerttest/lokitest"
	"tocsin/incident"
)

// shoutrrrTo is a receiver of the address of a service.
func shoutrrrTo(address string) Receiver {
	return Receiver{Name: "a", Type: Shoutrrr, URL: address, PerMinute: 6000}
}

// keyInWords returns what a message without room for a key is about: its incident and whether that is over.
func keyInWords(title, text string) string {
	_, rest, _ := strings.Cut(text, "/incidents/")
	id, _, _ := strings.Cut(rest, "\n")
	if strings.HasPrefix(title, "[CLOSED]") {
		return id + ":a:2"
	}
	return id + ":a:1"
}

// discordService is a webhook's end: https://discord.com/developers/docs/resources/webhook#execute-webhook.
type discordService struct{ s *troubled }

func (f *discordService) take(w http.ResponseWriter, r *http.Request, body []byte) string {
	var m struct {
		Content string
		Embeds  []struct{ Title, Description string }
	}
	if r.Host != "discord.com" || r.Method != http.MethodPost || r.URL.Path != "/api/webhooks/118233/hush-hush" || r.Header.Get("Content-Type") != "application/json" {
		return f.s.problem(w, "discord: %s %s%s", r.Method, r.Host, r.URL)
	}
	if err := json.Unmarshal(body, &m); err != nil || m.Content != "" || len(m.Embeds) != 1 {
		return f.s.problem(w, "discord: %v: %s", err, body)
	}
	e := m.Embeds[0]
	if t, d := utf8.RuneCountInString(e.Title), utf8.RuneCountInString(e.Description); t == 0 || t > 256 || d == 0 || d > 4096 || strings.Contains(e.Description, "<http") {
		return f.s.problem(w, "discord: %d and %d characters: %s", t, d, body)
	}
	w.WriteHeader(http.StatusNoContent)
	return keyInWords(strings.ReplaceAll(e.Title, "]\u200b", "]"), e.Description)
}

// ntfyService is a topic that wants a login: https://docs.ntfy.sh/publish/.
type ntfyService struct{ s *troubled }

func (f *ntfyService) take(w http.ResponseWriter, r *http.Request, body []byte) string {
	user, password, _ := r.BasicAuth()
	title := r.Header.Get("Title")
	if r.Method != http.MethodPost || r.URL.Path != "/alerts" || user != "ana" || password != "hush-hush" {
		return f.s.problem(w, "ntfy: %s %s by %s", r.Method, r.URL, user)
	}
	if title == "" || strings.ContainsFunc(title, unicode.IsControl) || len(body) == 0 || len(body) > 4096 || !utf8.Valid(body) {
		return f.s.problem(w, "ntfy: title %q and %d bytes", title, len(body))
	}
	_, _ = io.WriteString(w, `{"id":"sPs71M8A2T","time":1643935928,"expires":1643936928,"event":"message","topic":"alerts","message":"m"}`)
	return keyInWords(title, string(body))
}

// gotifyService is an application's messages: https://gotify.net/api-docs.
type gotifyService struct{ s *troubled }

func (f *gotifyService) take(w http.ResponseWriter, r *http.Request, body []byte) string {
	var m struct{ Title, Message string }
	if err := json.Unmarshal(body, &m); err != nil || r.URL.Path != "/message" || r.FormValue("token") != "AhushhushhushX1" || m.Message == "" {
		return f.s.problem(w, "gotify: %v: %s %s", err, r.URL, body)
	}
	_, _ = io.WriteString(w, `{"id":25,"appid":5,"message":"m","title":"t","priority":0,"date":"2018-02-27T19:36:10.5045044+01:00"}`)
	return keyInWords(m.Title, m.Message)
}

// shoutrrrAddresses are of each service, with what must not be seen anywhere.
func shoutrrrAddresses() map[string]string {
	return map[string]string{
		"discord": "discord://hush-hush@118233", "gotify": "gotify://push.example.org/AhushhushhushX1", "mattermost": "mattermost://chat.example.org/hush-hush",
		"ntfy": "ntfy://ana:hush-hush@ntfy.example.org/alerts", "pushover": "pushover://shoutrrr:hush-hush@hush-user", "rocketchat": "rocketchat://chat.example.org/hush-a/hush-b",
	}
}

// TestShoutrrrDraftsOneRequest for each service, with all of the message, whatever is in that.
func TestShoutrrrDraftsOneRequest(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("a line\n", 2000)
	for name, s := range shoutrrrServices() {
		address := shoutrrrAddresses()[name]
		if err := (Config{Receivers: []Receiver{shoutrrrTo(address)}}).Validate(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		for _, text := range []string{"text\nof lines", ellipsis(s.escape(long+hostile), s.maxText), s.escape(hostile + " @all")} {
			req, err := s.draft(address, "the title", text)
			if err != nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
			body, err := io.ReadAll(req.Body)
			if err != nil {
				t.Fatal(err)
			}
			if all := string(body) + req.Header.Get("Title"); !strings.Contains(all, "the title") && !strings.Contains(all, "the+title") {
				t.Errorf("%s: no title in %s", name, all)
			}
			if slices.Contains([]string{"discord", "mattermost", "rocketchat"}, name) && strings.Contains(string(body), "@all") {
				t.Errorf("%s: it calls people: %s", name, body)
			}
		}
	}
}

// TestShoutrrrRefuses what is no service, what the module's own clients would send, and what turns off a check; no message repeats the address.
func TestShoutrrrRefuses(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]string{
		"":                                                         "no service here",
		"hush-hush":                                                "no service here",
		"http://hush-hush.example.org/":                            "no service here",
		"teams://hush-hush@x":                                      "no service here: discord, gotify",
		"discord://hush-hush@":                                     "discord://TOKEN@WEBHOOK_ID",
		"discord://118233":                                         "discord://TOKEN@WEBHOOK_ID",
		"discord://hush-hush@118233?x=1":                           "discord://TOKEN@WEBHOOK_ID",
		"discord://hush-hush@1?json=Yes":                           "discord://TOKEN@WEBHOOK_ID",
		"discord://hush-hush@118233/raw":                           "discord://TOKEN@WEBHOOK_ID",
		"gotify://x/hush-hush":                                     "gotify://HOST/TOKEN",
		"ntfy://ana:hush-hush@x":                                   "ntfy://HOST/TOPIC",
		"ntfy:///hush-hush":                                        "ntfy://HOST/TOPIC",
		"ntfy://x/hush-hush?scheme=file":                           "ntfy://HOST/TOPIC",
		"rocketchat://x/hush-hush":                                 "rocketchat://HOST/TOKEN_A/TOKEN_B",
		"pushover://hush-hush":                                     "pushover://shoutrrr:TOKEN@USER",
		"ntfy://x/hush-hush%zz":                                    "not an address",
		"mattermost://hush-hush":                                   "mattermost://HOST/TOKEN",
		"mattermost://x/hush-hush?q=hush":                          "mattermost://HOST/TOKEN",
		"gotify://x/AhushhushhushX1?insecureSkipVerify=yes":        "always verified",
		"ntfy://x/hush-hush?disableTLSVerification=yes":            "always verified",
		"ntfy://x/hush-hush?title=x&priority=hush":                 "ntfy://HOST/TOPIC",
		"gotify://x/AhushhushhushX1?priority=99":                   "gotify://HOST/TOKEN",
		"gotify://x/AhushhushhushX1?disableTLS=yes&useHeader=hush": "gotify://HOST/TOKEN",
	} {
		err := (Config{Receivers: []Receiver{shoutrrrTo(address)}}).Validate()
		if err == nil || !strings.Contains(err.Error(), "alert.receivers[0].url") || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hush") {
			t.Errorf("%s: %v, want %q", address, err, want)
		}
	}
}

// TestShoutrrrIsGuarded: a private address is refused if receivers must not be there, and an error has no secret.
func TestShoutrrrIsGuarded(t *testing.T) {
	t.Parallel()
	came := false
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		came = true
		http.Error(w, `{"error":"hush-hush is not allowed"}`, http.StatusForbidden)
	}))
	defer server.Close()
	u, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	for _, deny := range []bool{true, false} {
		s, err := newShoutrrr(shoutrrrTo("ntfy://ana:hush-hush@localhost:"+u.Port()+"/alerts?scheme=http"), Config{DenyPrivate: deny})
		if err != nil {
			t.Fatal(err)
		}
		body, err := Body(Message{Kind: Opened, Receiver: "a", Incident: testIncident(1, 1)})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		err = s.send(ctx, Item{Body: body})
		cancel()
		s.close()
		want := "is not allowed"
		if deny {
			want = "deny_private"
		}
		if came == deny || err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hush") || errors.Is(err, errPermanent) == deny {
			t.Errorf("denied %t: it came %t, %v", deny, came, err)
		}
	}
}

// TestShoutrrrKeepsItsSecrets: what becomes of alerts says nothing of the address.
func TestShoutrrrKeepsItsSecrets(t *testing.T) {
	t.Parallel()
	for name, address := range shoutrrrAddresses() {
		for _, trouble := range []string{"refused", "500", "outage"} {
			t.Run(name+"/"+trouble, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					network, stop := lokitest.Serve(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
						if trouble == "refused" {
							w.WriteHeader(http.StatusUnauthorized)
						} else {
							w.WriteHeader(http.StatusInternalServerError)
						}
						fmt.Fprintf(w, "%s of %s %s", r.URL, r.Header, strings.Join(partsOf(parsed(t, address)), " "))
					}))
					defer stop()
					if trouble == "outage" {
						network.Down()
					}
					m, r := &memory{}, shoutrrrTo(address)
					tellOf(t, m, r, testIncident(1, 1), incident.Opened)
					deliverTo(t, m, r, network, time.Minute)
					if why := m.rows[0].reason; why == "" || strings.Contains(why, "hush") {
						t.Errorf("%v: %s", m.states(), why)
					}
				})
			})
		}
	}
}

func parsed(t *testing.T, address string) *url.URL {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// TestMarkdownThatSomebodyElseWrote calls nobody, and is no link.
func TestMarkdownThatSomebodyElseWrote(t *testing.T) {
	t.Parallel()
	got := escapeMarkdown("@here @everyone [a](http://b) <http://c|d> **e** `f`")
	for _, bad := range []string{"@here", "@everyone", "](", "<http", " **", " `"} {
		if strings.Contains(got, bad) {
			t.Errorf("%q is in %q", bad, got)
		}
	}
	if !slices.Equal(strings.Fields(strings.NewReplacer("\u200b", "", `\`, "").Replace(got)), strings.Fields("@here @everyone [a](http://b) <http://c|d> **e** `f`")) {
		t.Errorf("%q", got)
	}
}
