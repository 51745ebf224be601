// SPDX-License-Identifier: Apache-2.0

package alert

import (
	"fmt"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"time"
)

// Receiver is somewhere that alerts go to. Which keys a type has is in [keysOf].
type Receiver struct {
	// Name is part of every alert's idempotency key: renaming a receiver makes it another one.
	Name string `koanf:"name" yaml:"name"`
	Type string `koanf:"type" yaml:"type"`
	// URL is the address; a user and password in it are sent as Basic, or to a mail server.
	URL string `koanf:"url" yaml:"url"`
	// URLs are all replicas of an Alertmanager.
	URLs []string `yaml:"urls"`
	// Secrets sign a webhook's bodies (Standard Webhooks), each with a signature of its own, so that
	// a secret can be changed without a gap. Without one bodies are not signed. Those of a PagerDuty and a Slack sign what they
	// say back: see [Hooks].
	Secrets []string `koanf:"secrets" yaml:"secrets"`
	// Tenant is sent to a Loki as X-Scope-OrgID, "" for none.
	Tenant string `koanf:"tenant" yaml:"tenant"`
	// User and Password, or Token, are credentials: Basic or Bearer, a mail server's, a NATS's, a Slack bot's.
	User     string `koanf:"user" yaml:"user"`
	Password string `koanf:"password" yaml:"password"`
	Token    string `koanf:"token" yaml:"token"`
	// Labels are those of a Loki's streams that the configuration decides.
	Labels Labels `koanf:"labels" yaml:"labels"`
	// Detections says that a Loki is told of every detection, too.
	Detections bool `koanf:"detections" yaml:"detections"`
	// Channel is where a Slack bot writes: the id of a channel.
	Channel string `yaml:"channel"`
	// RoutingKey is a PagerDuty service's.
	RoutingKey string `yaml:"routing_key"`
	// From and To are mail addresses.
	From string   `yaml:"from"`
	To   []string `yaml:"to"`
	// AllowPlaintext lets mail go without TLS.
	AllowPlaintext bool `yaml:"allow_plaintext"`
	// CA is a file with whom to believe, of a mail server or a NATS; "" for those of the system.
	CA string `yaml:"ca"`
	// Subject is what a NATS's messages are published to, Stream the stream that has to take them, "" for none.
	Subject string `yaml:"subject"`
	Stream  string `yaml:"stream"`
	// Creds is a NATS's file of user credentials.
	Creds string `yaml:"creds"`
	// Resend is after what time an Alertmanager hears again of an incident that is open.
	Resend time.Duration `yaml:"resend"`
	// Title and Text are templates, see text.go.
	Title string `yaml:"title"`
	Text  string `yaml:"text"`
	// Body is a template of what a webhook is sent instead of the CloudEvent: JSON, whose strings alone have actions that put out text.
	Body string `yaml:"body"`
	// PerMinute is how many alerts it is sent in a minute at most; 0 is the type's own, which only Slack and Shoutrrr have.
	PerMinute int `yaml:"per_minute"`
}

// keysOf returns the keys that each type of receiver has besides name, type and per_minute.
func keysOf() map[string][]string {
	return map[string][]string{
		Stdout:       {},
		Webhook:      {"url", "secrets", "body"},
		Loki:         {"url", "tenant", "user", "password", "token", "labels", "detections"},
		Slack:        {"url", "token", "channel", "secrets", "title", "text"},
		PagerDuty:    {"url", "routing_key", "secrets", "title"},
		Alertmanager: {"urls", "user", "password", "token", "resend", "title", "text"},
		Email:        {"url", "user", "password", "from", "to", "allow_plaintext", "ca", "title", "text"},
		NATS:         {"url", "user", "password", "token", "creds", "ca", "subject", "stream"},
		Shoutrrr:     {"url", "title", "text"},
	}
}

func (r Receiver) validate(at string) error {
	has, known := keysOf()[r.Type]
	if !known {
		return wrong(at+".type", "%q is no type: webhook, slack, pagerduty, alertmanager, email, nats, loki, shoutrrr or stdout", r.Type)
	}
	v := reflect.ValueOf(r)
	for i := range v.NumField() {
		key := v.Type().Field(i).Tag.Get("yaml")
		if !v.Field(i).IsZero() && !slices.Contains(has, key) && !slices.Contains([]string{"name", "type", "per_minute"}, key) {
			return wrong(at+"."+key, "a receiver of type %s has no %s: it has %s", r.Type, key, strings.Join(append([]string{"name, type, per_minute"}, has...), ", "))
		}
	}
	if r.PerMinute < 0 || r.PerMinute > 60_000 {
		return wrong(at+".per_minute", "it is between 1 and 60000, or 0 for no limit of its own, not %d", r.PerMinute)
	}
	if err := r.validateTemplates(at); err != nil {
		return err
	}
	switch r.Type {
	case Webhook:
		return r.validateWebhook(at)
	case Loki:
		return r.validateLoki(at)
	case Slack:
		return r.validateSlack(at)
	case PagerDuty:
		return r.validatePagerDuty(at)
	case Alertmanager:
		return r.validateAlertmanager(at)
	case Email:
		return r.validateEmail(at)
	case NATS:
		return r.validateNATS(at)
	case Shoutrrr:
		return r.validateShoutrrr(at)
	}
	return nil
}

func (r Receiver) validateWebhook(at string) error {
	if !webAddress(r.URL) {
		// The value may hold a password or a token: it is not repeated.
		return wrong(at+".url", "not an http or https address with a host")
	}
	for i, s := range r.Secrets {
		if _, err := secretKey(s); err != nil {
			return wrong(fmt.Sprintf("%s.secrets[%d]", at, i), "%w", err)
		}
	}
	if r.Body == "" {
		return nil
	}
	t, err := newText("body", r.Body, escapeJSON)
	if err == nil {
		_, err = renderJSON(t, sample())
	}
	if err != nil {
		return wrong(at+".body", "%w", err)
	}
	return nil
}

// webAddress reports whether text is an address of the web with a host.
func webAddress(text string) bool {
	u, err := url.Parse(text)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Hostname() != ""
}

// validateCredentials checks user, password and token. inURL says that the address has a user.
func (r Receiver) validateCredentials(at string, inURL bool) error {
	switch {
	case r.User != "" && inURL:
		return wrong(at+".user", "the url has a user already")
	case strings.Contains(r.User, ":"):
		return wrong(at+".user", "a user has no colon")
	case r.Password != "" && r.User == "":
		return wrong(at+".password", "a password needs a user")
	case r.Token != "" && (r.User != "" || inURL):
		return wrong(at+".token", "either a token or a user, not both")
	case strings.ContainsFunc(r.Token, func(c rune) bool { return c <= ' ' || c > '~' }):
		return wrong(at+".token", "a token has neither blanks nor letters beyond ASCII")
	}
	return nil
}
