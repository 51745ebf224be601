// SPDX-License-Identifier: Apache-2.0

package alert

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	"tocsin/incident"
)

// What is wrong with a reply, besides that it cannot be read.
var (
	// ErrNoHook says that no receiver of the type has a secret: nothing is taken from it.
	ErrNoHook = errors.New("no receiver of this type has secrets: alert.receivers[].secrets")
	// ErrUnsigned says that a reply has no signature of any secret, or is too old to be believed.
	ErrUnsigned = errors.New("it is not signed by any secret of alert.receivers, or not now")
)

// leastSecret is how long a secret is at least that replies are signed with.
const leastSecret = 16

// slackSkew is how far the time of a Slack request may be from ours, as Slack says.
const slackSkew = 5 * time.Minute

// Reply is what a person did about an incident at a receiver.
type Reply struct {
	Incident string
	// Status is in_progress or resolved.
	Status incident.Status
	// By is the receiver's type, a colon, and what the receiver calls the person.
	By string
	// Key is the same if the reply comes again.
	Key string
	// answer is where the person can be told something, "" if nowhere. Whoever has it can write there.
	answer string
}

// Hooks read what receivers say back. Each type believes what is signed with a secret of any of its receivers.
type Hooks struct {
	pagerDuty, slack []string
	// hosts take answers besides Slack's own: those of receivers with an address.
	hosts  []string
	client *http.Client
}

// NewHooks returns those of a valid configuration.
func NewHooks(c Config) Hooks {
	h := Hooks{client: newClient(c.guard())}
	for _, r := range c.Receivers {
		switch r.Type {
		case PagerDuty:
			h.pagerDuty = append(h.pagerDuty, r.Secrets...)
		case Slack:
			h.slack = append(h.slack, r.Secrets...)
			if u, err := url.Parse(r.URL); err == nil && r.URL != "" {
				h.hosts = append(h.hosts, u.Host)
			}
		}
	}
	return h
}

// validateSecrets checks those that replies are signed with.
func (r Receiver) validateSecrets(at string) error {
	for i, s := range r.Secrets {
		if len(s) < leastSecret || strings.ContainsFunc(s, func(c rune) bool { return c <= ' ' || c > '~' }) {
			return wrong(fmt.Sprintf("%s.secrets[%d]", at, i), "at least %d letters and digits, without blanks", leastSecret)
		}
	}
	return nil
}

// signed reports whether any signature is that of a text with any secret. It takes as long whichever it is.
func signed(secrets, signatures []string, version string, text []byte) bool {
	ok := false
	for _, secret := range secrets {
		mac := hmac.New(sha256.New, []byte(secret))
		mac.Write(text)
		want := []byte(version + hex.EncodeToString(mac.Sum(nil)))
		for _, s := range signatures {
			ok = hmac.Equal(want, []byte(strings.TrimSpace(s))) || ok
		}
	}
	return ok
}

// maxSignatures is how many signatures of a request are looked at: PagerDuty sends one for each secret that is being changed.
const maxSignatures = 8

// PagerDuty reads a webhook of version 3 with its X-PagerDuty-Signature. ok is false if it is not a person's reply about an incident
// of ours: a test, what a program did, or something that has no word here.
func (h Hooks) PagerDuty(signatures string, body []byte) (r Reply, ok bool, err error) {
	if len(h.pagerDuty) == 0 {
		return r, false, ErrNoHook
	}
	if !signed(h.pagerDuty, strings.SplitN(signatures, ",", maxSignatures), "v1=", body) {
		return r, false, ErrUnsigned
	}
	var in struct {
		Event struct {
			ID    string
			Type  string `json:"event_type"`
			Agent struct{ Type, Summary string }
			Data  struct {
				Key string `json:"incident_key"`
			}
		}
	}
	if err := json.Unmarshal(body, &in); err != nil {
		return r, false, errors.New("it is no webhook of PagerDuty's version 3")
	}
	e := in.Event
	r = Reply{Incident: e.Data.Key, By: replier(PagerDuty, e.Agent.Summary), Key: e.ID}
	switch e.Type {
	case "incident.acknowledged":
		r.Status = incident.InProgress
	case "incident.resolved":
		r.Status = incident.Resolved
	default:
		return r, false, nil
	}
	return r, e.ID != "" && e.Agent.Type == "user_reference" && incidentID(r.Incident), nil
}

// slackAcknowledge is the button's name.
const slackAcknowledge = "tocsin_acknowledge"

// Slack reads what Slack says of a button: a form, with its X-Slack-Signature and X-Slack-Request-Timestamp. ok is false if it is not
// ours.
func (h Hooks) Slack(signature, timestamp string, body []byte, now time.Time) (r Reply, ok bool, err error) {
	if len(h.slack) == 0 {
		return r, false, ErrNoHook
	}
	sec, err := strconv.ParseInt(timestamp, 10, 64)
	if err != nil || now.Sub(time.Unix(sec, 0)).Abs() > slackSkew {
		return r, false, ErrUnsigned
	}
	if !signed(h.slack, []string{signature}, "v0=", append([]byte("v0:"+timestamp+":"), body...)) {
		return r, false, ErrUnsigned
	}
	var in struct {
		Type string
		User struct{ ID, Name, Username string }
		// Actions has one, of the button that was pressed.
		Actions []struct {
			ID    string `json:"action_id"`
			Value string
			At    string `json:"action_ts"`
		}
		Answer string `json:"response_url"`
	}
	form, err := url.ParseQuery(string(body))
	if err != nil || json.Unmarshal([]byte(form.Get("payload")), &in) != nil {
		return r, false, errors.New("it is no form with a payload of Slack's")
	}
	if in.Type != "block_actions" || len(in.Actions) != 1 || in.Actions[0].ID != slackAcknowledge {
		return r, false, nil
	}
	a, name := in.Actions[0], in.User.Username
	if name == "" {
		name = in.User.Name
	}
	if name == "" {
		name = in.User.ID
	}
	r = Reply{Incident: a.Value, Status: incident.InProgress, By: replier(Slack, name), Key: in.User.ID + " " + a.At, answer: in.Answer}
	return r, a.At != "" && name != "" && incidentID(r.Incident), nil
}

// maxReplier bounds what a receiver calls a person.
const maxReplier = 200

// replier names a person who did something at a receiver.
func replier(kind, name string) string { return kind + ":" + cut(oneLine(name), maxReplier) }

func incidentID(s string) bool { return regexp.MustCompile(`^[0-9a-f]{32}$`).MatchString(s) }
