// SPDX-License-Identifier: Apache-2.0

package alert

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"tocsin/incident"
)

// TestSlackSignsAsItsDocumentationSays: the request of https://docs.slack.dev/authentication/verifying-requests-from-slack is believed, which
// is no button.
func TestSlackSignsAsItsDocumentationSays(t *testing.T) {
	t.Parallel()
	const (
		body = "token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&channel_name=foobar&user_id=U2CERLKJA&" +
			"user_name=roadrunner&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F" +
			"96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c"
		signature = "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503"
		at        = "1531420618"
	)
	h := Hooks{slack: []string{"8f742231b10e8888abcd99yyyzzz85a5"}}
	now := time.Unix(1531420618, 0)
	if _, _, err := h.Slack(signature, at, []byte(body), now); err == nil || errors.Is(err, ErrUnsigned) {
		t.Errorf("%v", err)
	}
	for name, err := range map[string]error{
		"another body":   third(h.Slack(signature, at, []byte(body+" "), now)),
		"another time":   third(h.Slack(signature, "1531420619", []byte(body), now)),
		"too late":       third(h.Slack(signature, at, []byte(body), now.Add(slackSkew+time.Second))),
		"no time":        third(h.Slack(signature, "", []byte(body), now)),
		"another":        third(h.Slack("v0="+strings.Repeat("0", 64), at, []byte(body), now)),
		"another secret": third(Hooks{slack: []string{strings.Repeat("x", 32)}}.Slack(signature, at, []byte(body), now)),
	} {
		if !errors.Is(err, ErrUnsigned) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, _, err := (Hooks{}).Slack(signature, at, []byte(body), now); !errors.Is(err, ErrNoHook) {
		t.Error(err)
	}
}

func third(_ Reply, _ bool, err error) error { return err }

// TestPagerDutyReplies: one right signature of several is enough, under any secret; the reply says who, what, and which it is.
func TestPagerDutyReplies(t *testing.T) {
	t.Parallel()
	id := strings.Repeat("a", 32)
	secrets := []string{strings.Repeat("o", 32), strings.Repeat("n", 32)}
	h := Hooks{pagerDuty: secrets}
	body := func(event, agent, key string) []byte {
		return fmt.Appendf(nil, `{"event":{"id":"01","event_type":%q,"agent":{"type":%q,"summary":"ana\u202e\n%s"},"data":{"incident_key":%q}}}`, event, agent, strings.Repeat("x", 300), key)
	}
	sign := func(secret string, b []byte) string {
		mac := hmac.New(sha256.New, []byte(secret))
		mac.Write(b)
		return "v1=" + hex.EncodeToString(mac.Sum(nil))
	}
	right := body("incident.acknowledged", "user_reference", id)
	for name, signatures := range map[string]string{
		"one": sign(secrets[1], right), "the second": sign("x", right) + "," + sign(secrets[0], right), "with blanks": "v1=00, " + sign(secrets[0], right),
	} {
		r, ok, err := h.PagerDuty(signatures, right)
		if err != nil || !ok || r.Incident != id || r.Status != incident.InProgress || r.Key != "01" || len(r.By) > len("pagerduty:")+maxReplier || !strings.HasPrefix(r.By, "pagerduty:ana xxx") {
			t.Errorf("%s: %+v, %t, %v", name, r, ok, err)
		}
	}
	for name, signatures := range map[string]string{
		"none": "", "of another body": sign(secrets[0], body("incident.resolved", "user_reference", id)), "of another version": "v2=" + sign(secrets[0], right)[3:],
		"bare": sign(secrets[0], right)[3:], "behind many": strings.Repeat("v1=00,", 20) + sign(secrets[0], right),
	} {
		if _, _, err := h.PagerDuty(signatures, right); !errors.Is(err, ErrUnsigned) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, b := range map[string][]byte{
		"another event":     body("incident.triggered", "user_reference", id),
		"a program":         body("incident.resolved", "inbound_integration_reference", id),
		"somebody else's":   body("incident.resolved", "user_reference", "web-1/cpu"),
		"one without an id": []byte(`{"event":{"event_type":"incident.resolved","agent":{"type":"user_reference"},"data":{"incident_key":"` + id + `"}}}`),
	} {
		if r, ok, err := h.PagerDuty(sign(secrets[0], b), b); ok || err != nil {
			t.Errorf("%s: %+v, %t, %v", name, r, ok, err)
		}
	}
}

// TestSecretsOfReplies are long, and go with what has a button.
func TestSecretsOfReplies(t *testing.T) {
	t.Parallel()
	hook := Receiver{Type: Slack, URL: "https://hooks.slack.com/services/T/B/x", Secrets: []string{strings.Repeat("s", 32)}}
	short, blank := pagerDutyReceiver(), slackBot()
	short.Secrets, blank.Secrets = []string{"short"}, []string{strings.Repeat("s ", 16)}
	for _, r := range []Receiver{hook, short, blank} {
		r.Name = "a"
		err := Config{Receivers: []Receiver{r}}.Validate()
		if err == nil || !strings.Contains(err.Error(), "alert.receivers[0].secrets") || strings.Contains(err.Error(), "short") {
			t.Errorf("%s: %v", r.Type, err)
		}
	}
}
