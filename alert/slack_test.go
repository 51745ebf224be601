// SPDX-License-Identifier: Apache-2.0

package alert

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"tocsin/alert/alerttest/lokitest"
	"tocsin/incident"
)

func slackBot() Receiver {
	return Receiver{Name: "a", Type: Slack, URL: "http://slack/api/", Token: "xoxb-hush", Channel: "C024BE91L", PerMinute: 6000}
}

// slackService has the two ways into a channel.
type slackService struct {
	s        *troubled
	messages map[string]string // by channel and time: the text
	threads  map[string]int
	buttons  map[string]int // "" of those that are new
}

func newSlackService(s *troubled) *slackService {
	return &slackService{s, make(map[string]string), make(map[string]int), make(map[string]int)}
}

// slackChannels are the channels that a bot may write to, by what it calls them.
func slackChannels() map[string]string {
	return map[string]string{"C024BE91L": "C024BE91L", "C0NEWBE91": "C0NEWBE91", "U0ANA": "D0ANA"}
}

func (f *slackService) take(w http.ResponseWriter, r *http.Request, body []byte) string {
	var m slackMessage
	if err := json.Unmarshal(body, &m); err != nil || m.Text == "" || len(m.Attachments) != 1 {
		return f.s.problem(w, "slack: %v: %s", err, body)
	}
	for _, b := range m.Attachments[0].Blocks {
		if b.Type == "actions" { // https://docs.slack.dev/reference/block-kit
			if len(b.Elements) != 1 || b.Elements[0].Type != "button" || b.Elements[0].Text.Type != "plain_text" || len(b.Elements[0].Value) != 32 || m.ThreadTS != "" {
				return f.s.problem(w, "slack: actions %+v", b)
			}
			f.buttons[m.TS]++
			continue
		}
		if n := utf8.RuneCountInString(b.Text.Text); b.Type != "section" || b.Text.Type != "mrkdwn" || n == 0 || n > 3000 {
			return f.s.problem(w, "slack: a block of %d characters: %+v", n, b)
		}
	}
	if strings.Contains(strings.ReplaceAll(string(body), `\u003c`, "<"), "<!channel>") || m.Parse != "none" || m.LinkNames || m.UnfurlLinks {
		return f.s.problem(w, "slack: it calls people or makes links: %s", body)
	}
	if r.URL.Path == "/services/T1/B1/hush" {
		_, _ = io.WriteString(w, "ok")
		return keyInText(m)
	}
	channel := m.Channel
	if r.URL.Path == "/api/chat.postMessage" && m.ThreadTS == "" {
		channel = slackChannels()[m.Channel]
	}
	if r.Header.Get("Authorization") != "Bearer xoxb-hush" || channel == "" || strings.HasPrefix(channel, "U") {
		return f.s.problem(w, "slack: %s to %q", r.Header.Get("Authorization"), m.Channel)
	}
	switch r.URL.Path {
	case "/api/chat.postMessage":
		ts := fmt.Sprintf("17%08d.%06d", len(f.messages), len(f.messages))
		if m.ThreadTS != "" {
			if _, ok := f.messages[channel+" "+m.ThreadTS]; !ok {
				_, _ = io.WriteString(w, `{"ok":false,"error":"thread_not_found"}`)
				return ""
			}
			f.threads[channel+" "+m.ThreadTS]++
		}
		f.messages[channel+" "+ts] = m.Text
		fmt.Fprintf(w, `{"ok":true,"channel":%q,"ts":%q}`, channel, ts)
		return m.Metadata.EventPayload["key"]
	case "/api/chat.update":
		if _, ok := f.messages[channel+" "+m.TS]; !ok {
			_, _ = io.WriteString(w, `{"ok":false,"error":"message_not_found"}`)
			return ""
		}
		f.messages[channel+" "+m.TS] = m.Text
		fmt.Fprintf(w, `{"ok":true,"channel":%q,"ts":%q}`, channel, m.TS)
		return ""
	}
	return f.s.problem(w, "slack: %s", r.URL.Path)
}

// keyInText returns what a message through an incoming webhook, which has no room for a key, is about: its incident and whether that is over.
func keyInText(m slackMessage) string {
	all := ""
	for _, b := range m.Attachments[0].Blocks {
		all += b.Text.Text
	}
	_, rest, _ := strings.Cut(all, "/incidents/")
	if strings.HasPrefix(m.Text, "[CLOSED]") {
		return rest + ":a:2"
	}
	return rest + ":a:1"
}

// TestSlackBotKeepsOneMessage of an incident: it is changed, and each change is told in its thread; one that was deleted is made anew.
func TestSlackBotKeepsOneMessage(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := slackBot()
		s := &troubled{t: t, trouble: func(int) string { return "" }}
		f := newSlackService(s)
		s.service = f
		network, stop := lokitest.Serve(s)
		defer stop()
		m := &memory{}
		tellOf(t, m, r, testIncident(1, 1), incident.Opened)
		deliverTo(t, m, r, network, time.Minute)
		if len(f.messages) != 1 {
			t.Fatalf("%d messages", len(f.messages))
		}
		tellOf(t, m, r, testIncident(1, 2), incident.ClosedByPerson)
		deliverTo(t, m, r, network, time.Minute)
		first := slices.Min(slices.Collect(maps.Keys(f.messages)))
		if len(f.messages) != 2 || f.threads[first] != 1 || !strings.HasPrefix(f.messages[first], "[CLOSED]") {
			t.Errorf("messages %q, threads %v", f.messages, f.threads)
		}
		tellOf(t, m, r, testIncident(2, 1), incident.Opened)
		deliverTo(t, m, r, network, time.Minute)
		clear(f.messages)
		tellOf(t, m, r, testIncident(2, 2), incident.ClosedByPerson)
		deliverTo(t, m, r, network, time.Minute)
		if len(f.messages) != 1 || m.states()["sent"] != 4 {
			t.Errorf("messages %q, %v", f.messages, m.states())
		}
	})
}

// TestSlackNamesItsErrors: what is wrong with the token waits for who mends it, what is wrong with the message does not.
func TestSlackNamesItsErrors(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{"invalid_auth": "pending", "channel_not_found": "pending", "ratelimited": "pending", "msg_too_long": "dead"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				network, stop := lokitest.Serve(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
					fmt.Fprintf(w, `{"ok":false,"error":%q}`, name)
				}))
				defer stop()
				m, r := &memory{}, slackBot()
				tellOf(t, m, r, testIncident(1, 1), incident.Opened)
				deliverTo(t, m, r, network, time.Minute)
				if m.states()[want] != 1 || !strings.Contains(m.rows[0].reason, name) {
					t.Errorf("%v, %q", m.states(), m.rows[0].reason)
				}
			})
		})
	}
}

// TestSlackBotMovesToAnotherChannel when the configuration does: what was kept is a message of the old one, and stays as it is.
func TestSlackBotMovesToAnotherChannel(t *testing.T) {
	t.Parallel()
	for _, to := range []string{"C0NEWBE91", "U0ANA"} {
		t.Run(to, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := &troubled{t: t, trouble: func(int) string { return "" }}
				f := newSlackService(s)
				s.service = f
				network, stop := lokitest.Serve(s)
				defer stop()
				m, r := &memory{}, slackBot()
				tellOf(t, m, r, testIncident(1, 1), incident.Opened)
				deliverTo(t, m, r, network, time.Minute)
				first := slices.Collect(maps.Keys(f.messages))[0]
				before := f.messages[first]
				r.Channel = to
				for revision := range int64(2) { // one that is made anew, and one in its thread
					tellOf(t, m, r, testIncident(1, 2+revision), incident.ClosedByPerson)
					deliverTo(t, m, r, network, time.Minute)
				}
				var there []string
				for at := range f.messages {
					if strings.HasPrefix(at, slackChannels()[to]+" ") {
						there = append(there, at)
					}
				}
				if f.messages[first] != before || f.threads[first] != 0 || len(there) == 0 || len(f.messages) != 1+len(there) || m.states()["sent"] != 3 {
					t.Errorf("messages %q, threads %v, %v", f.messages, f.threads, m.states())
				}
			})
		})
	}
}

// TestSlackButton is in an incident's own message as long as nobody works on it, and only where what it says back is believed.
func TestSlackButton(t *testing.T) {
	t.Parallel()
	for name, secrets := range map[string][]string{"with a secret": {strings.Repeat("s", 32)}, "without": nil} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := &troubled{t: t, trouble: func(int) string { return "" }}
				f := newSlackService(s)
				s.service = f
				network, stop := lokitest.Serve(s)
				defer stop()
				m, r := &memory{}, slackBot()
				r.Secrets = secrets
				tellOf(t, m, r, testIncident(1, 1), incident.Opened)
				deliverTo(t, m, r, network, time.Minute)
				if f.buttons[""] != len(secrets) {
					t.Errorf("buttons %v", f.buttons)
				}
				working := testIncident(1, 2)
				working.Status = incident.InProgress
				for revision, kind := range map[int64]Kind{2: Acknowledged, 3: Closed} {
					body, err := Body(Message{Kind: kind, Receiver: "a", Incident: working})
					if err != nil {
						t.Fatal(err)
					}
					m.tell([]Alert{{Incident: working.ID, Revision: revision, Receiver: "a", Kind: kind, Body: body}})
				}
				deliverTo(t, m, r, network, time.Minute)
				if len(f.buttons) > 1 || f.buttons[""] != len(secrets) || len(f.messages) != 3 {
					t.Errorf("buttons %v, messages %q", f.buttons, f.messages)
				}
			})
		})
	}
}

// TestSlackPlaceOfAnEarlierVersion has no channel of the configuration: it is the one that Slack named.
func TestSlackPlaceOfAnEarlierVersion(t *testing.T) {
	t.Parallel()
	s := &slack{channel: "C024BE91L"}
	for place, want := range map[string]string{"C024BE91L 17.1": "17.1", "C0NEWBE91 17.1": "", "D0ANA 17.1 C024BE91L": "17.1", "": "", "x": ""} {
		if _, ts, ok := s.kept(place); ts != want || ok != (want != "") {
			t.Errorf("%q: %q, %t", place, ts, ok)
		}
	}
}
