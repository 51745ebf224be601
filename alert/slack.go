// SPDX-License-Identifier: Apache-2.0

package alert

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"
)

// Slack's address and its limits: a header is plain text of 150 characters, a section's text has 3,000.
const (
	slackAPI       = "https://slack.com/api/"
	maxSlackHeader = 150
	maxSlackText   = 2900
)

const (
	slackTitle = `{{ if ne .Kind "opened" }}[{{ .Kind | toUpper }}] {{ end }}{{ .Title }}`
	slackText  = `*{{ .Severity | toUpper }}* {{ .Rule.Title }} ({{ .Rule.ID }}){{ with .Verdict }}, {{ . }}{{ end }}
{{ with .Entities }}{{ join ", " . | cut 600 }}
{{ end }}{{ plural .EventCount "event" "events" }} in {{ plural .DetectionCount "detection" "detections" }}, {{ .FirstEvent }} to {{ .LastEvent }}
{{- with .Attack.Techniques }}
{{ join ", " . | cut 200 }}{{ end }}
{{- with .Description }}
{{ . | cut 500 }}{{ end }}
{{- with .Runbook }}
*Runbook:* {{ . | cut 500 }}{{ end }}
{{- with .MergedInto }}
Joined into incident {{ . }}{{ end }}
{{- with .URL }}
{{ . }}{{ end }}`
)

// slack writes to a channel: through an incoming webhook, which can only post, or as a bot, which keeps one message for an incident, changes
// it as the incident does, and tells each change in its thread.
type slack struct {
	// hook is an incoming webhook's address; without one the API at api is used, with token.
	hook, api      string
	token, channel string
	// button says that messages have one, for who works on the incident: what it says back is believed.
	button   bool
	texts    texts
	external string
	client   *http.Client
}

func (r Receiver) validateSlack(at string) error {
	u, err := url.Parse(r.URL)
	switch {
	case r.URL != "" && !webAddress(r.URL):
		return wrong(at+".url", "not an http or https address with a host")
	case r.Token == "" && r.URL == "":
		return wrong(at+".url", "an incoming webhook's address, or a bot's token and channel")
	case r.Token == "" && r.Channel != "":
		return wrong(at+".channel", "an incoming webhook has the channel that it was made for: a channel is for a bot's token")
	case r.Token != "" && r.Channel == "":
		return wrong(at+".channel", "where the bot writes: the id of a channel, as in C024BE91L")
	case r.Channel != "" && !regexp.MustCompile(`^[CGDU][A-Z0-9]{2,20}$`).MatchString(r.Channel):
		return wrong(at+".channel", "%q is no id of a channel: Slack shows it at the end of the channel's details, as in C024BE91L", r.Channel)
	case r.Token != "" && r.URL != "" && err == nil && !strings.HasSuffix(u.Path, "/"):
		return wrong(at+".url", "beside a token it is the API's address and ends with a /, as in %s; an incoming webhook has no token", slackAPI)
	case r.Token == "" && len(r.Secrets) > 0:
		return wrong(at+".secrets", "a bot's messages alone have a button: secrets go with a token")
	}
	if err := r.validateSecrets(at); err != nil {
		return err
	}
	return r.validateCredentials(at, false)
}

func newSlack(r Receiver, c Config) (*slack, error) {
	t, err := newTexts(r, slackTitle, slackText, escapeSlack)
	if err != nil {
		return nil, fmt.Errorf("receiver %s: %w", r.Name, err)
	}
	s := &slack{hook: r.URL, token: r.Token, channel: r.Channel, button: len(r.Secrets) > 0, texts: t, external: c.ExternalURL, client: newClient(c.guard())}
	if r.Token != "" {
		s.hook, s.api = "", r.URL
		if r.URL == "" {
			s.api = slackAPI
		}
	}
	return s, nil
}

func (s *slack) send(ctx context.Context, it Item) error {
	_, err := s.sendAt(ctx, it, "")
	return err
}

// kept finds an incident's message in the place that was kept: Slack's channel and time, and the channel that the configuration had
// then, with blanks between. Slack's is another one where that names a person. Of another channel than today's it is none.
func (s *slack) kept(place string) (channel, ts string, ok bool) {
	at := strings.Fields(place)
	if len(at) == 2 {
		at = append(at, at[0]) // of an earlier version
	}
	if len(at) != 3 || at[2] != s.channel {
		return "", "", false
	}
	return at[0], at[1], true
}

// sendAt posts an alert. place is where the incident's message is, see kept.
func (s *slack) sendAt(ctx context.Context, it Item, place string) (string, error) {
	a, err := readAbout(it.Body, s.external)
	if err != nil {
		return place, err
	}
	m := s.message(it, a)
	if s.hook != "" {
		return "", s.post(ctx, s.hook, m)
	}
	channel, ts, ok := s.kept(place)
	first := s.main(m, a)
	if !ok {
		return s.call(ctx, "chat.postMessage", first)
	}
	update := first
	update.Channel, update.TS = channel, ts
	if _, err := s.call(ctx, "chat.update", update); err != nil {
		// The message was deleted or is too old to be changed: the incident gets a new one.
		if said, ok := errors.AsType[*slackError](err); ok && said.gone() {
			return s.call(ctx, "chat.postMessage", first)
		}
		return place, err
	}
	// The update may be done twice; the message in the thread is last, so that it is not.
	m.Channel, m.ThreadTS = channel, ts
	_, err = s.call(ctx, "chat.postMessage", m)
	return place, err
}

// post sends a message to an incoming webhook.
func (s *slack) post(ctx context.Context, address string, m slackMessage) error {
	body, err := json.Marshal(m)
	if err != nil {
		return fmt.Errorf("%w: %w", errPermanent, err)
	}
	at := time.Now()
	resp, err := postJSON(ctx, s.client, address, body, "")
	if err != nil {
		return err
	}
	if resp.StatusCode == http.StatusOK && strings.TrimSpace(string(resp.said)) == "ok" {
		return nil
	}
	err = unwelcome(resp.Response, at)
	if w := words(resp.said); w != "" {
		return fmt.Errorf("%w: %s", err, w)
	}
	return err
}

// slackError is a failure that Slack names.
type slackError struct {
	name string
	err  error
}

func (e *slackError) Error() string { return "slack: " + e.name }

func (e *slackError) Unwrap() error { return e.err }

// gone reports whether a message cannot be changed any more.
func (e *slackError) gone() bool {
	switch e.name {
	case "message_not_found", "cant_update_message", "edit_window_closed", "thread_not_found":
		return true
	}
	return false
}

// call calls a method of the API and returns where the message is.
func (s *slack) call(ctx context.Context, method string, m slackMessage) (string, error) {
	body, err := json.Marshal(m)
	if err != nil {
		return "", fmt.Errorf("%w: %w", errPermanent, err)
	}
	at := time.Now()
	resp, err := postJSON(ctx, s.client, s.api+method, body, "Bearer "+s.token)
	if err != nil {
		return "", err
	}
	if resp.StatusCode != http.StatusOK {
		return "", unwelcome(resp.Response, at)
	}
	var out struct {
		OK                 bool
		Error, Channel, TS string
	}
	if err := json.Unmarshal(resp.said, &out); err != nil || out.OK && (out.Channel == "" || out.TS == "") {
		return "", errors.New("slack: it answered nonsense")
	}
	if out.OK {
		return out.Channel + " " + out.TS + " " + s.channel, nil
	}
	e := &slackError{name: words([]byte(out.Error), s.token)}
	switch out.Error {
	case "msg_too_long", "no_text", "invalid_blocks", "invalid_blocks_format", "invalid_attachments", "invalid_metadata_format", "metadata_too_large":
		e.err = errPermanent // it is this message, and no later try is another one
	case "ratelimited", "rate_limited":
		e.err = &retryLater{retryAfter(resp.Header.Get("Retry-After"), at), errors.New("too many")}
	}
	// Anything else is about the token, the channel or Slack: whoever mends it within a day has lost nothing.
	return "", e
}

func (s *slack) close() { s.client.CloseIdleConnections() }
