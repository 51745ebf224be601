// SPDX-License-Identifier: Apache-2.0

package alert

import (
	"fmt"
	"net/url"
	"regexp"
)

// The types of a Receiver.
const (
	Webhook = "webhook"
	Stdout  = "stdout"
	Loki    = "loki"
)

// Config says who hears of incidents.
type Config struct {
	Receivers []Receiver `koanf:"receivers" yaml:"receivers"`
	Routes    []Route    `koanf:"routes" yaml:"routes"`
}

// Receiver is somewhere that alerts go to.
type Receiver struct {
	// Name is part of every alert's idempotency key: renaming a receiver makes it another one.
	Name string `koanf:"name" yaml:"name"`
	Type string `koanf:"type" yaml:"type"`
	// URL is a webhook's or a Loki's address; a user and password in it are sent as Basic.
	URL string `koanf:"url" yaml:"url"`
	// Secrets sign a webhook's bodies (Standard Webhooks), each with a signature of its own, so that
	// a secret can be changed without a gap. Without one bodies are not signed.
	Secrets []string `koanf:"secrets" yaml:"secrets"`
	// Tenant is sent to a Loki as X-Scope-OrgID, "" for none.
	Tenant string `koanf:"tenant" yaml:"tenant"`
	// User and Password, or Token, are a Loki's credentials: Basic or Bearer.
	User     string `koanf:"user" yaml:"user"`
	Password string `koanf:"password" yaml:"password"`
	Token    string `koanf:"token" yaml:"token"`
	// Labels are those of a Loki's streams that the configuration decides.
	Labels Labels `koanf:"labels" yaml:"labels"`
	// Detections says that a Loki is told of every detection, too.
	Detections bool `koanf:"detections" yaml:"detections"`
}

// Route sends the incidents that all of its matchers match to a receiver. Routes are tried in order
// up to the first that matches, or beyond it if that one says continue.
type Route struct {
	// Severity is the least that matches, "" for any.
	Severity string `koanf:"severity" yaml:"severity"`
	// Rules are globs (* and ?) of rule ids, one of which must match; none for any rule.
	Rules    []string `koanf:"rules" yaml:"rules"`
	Receiver string   `koanf:"receiver" yaml:"receiver"`
	Continue bool     `koanf:"continue" yaml:"continue"`
}

// ConfigError says which key of the configuration is wrong.
type ConfigError struct {
	// Key is the path under `alert`, such as "receivers[0].url".
	Key string
	Err error
}

func (e *ConfigError) Error() string { return fmt.Sprintf("alert.%s: %v", e.Key, e.Err) }

// Unwrap returns what is wrong with the key.
func (e *ConfigError) Unwrap() error { return e.Err }

func wrong(key, format string, args ...any) *ConfigError {
	return &ConfigError{Key: key, Err: fmt.Errorf(format, args...)}
}

// complete returns the configuration with its defaults: without receivers one that prints every
// alert, without routes every alert to every receiver.
func (c Config) complete() Config {
	if len(c.Receivers) == 0 && len(c.Routes) == 0 {
		c.Receivers = []Receiver{{Name: "stdout", Type: Stdout}}
	}
	if len(c.Routes) == 0 {
		for _, r := range c.Receivers {
			c.Routes = append(c.Routes, Route{Receiver: r.Name, Continue: true})
		}
	}
	return c
}

// Validate returns the first mistake, a [*ConfigError].
func (c Config) Validate() error {
	c = c.complete()
	// A full stop would make the text that is signed ambiguous, a colon the idempotency key.
	name := regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,62}$`)
	used := make(map[string]bool)
	for _, r := range c.Routes {
		used[r.Receiver] = true
	}
	known := make(map[string]bool)
	for i, r := range c.Receivers {
		at := fmt.Sprintf("receivers[%d]", i)
		switch {
		case !name.MatchString(r.Name):
			return wrong(at+".name", "%q is no name: lower-case letters, digits, - and _, at most 63", r.Name)
		case known[r.Name]:
			return wrong(at+".name", "there is a receiver %q already", r.Name)
		case !used[r.Name]:
			return wrong(at+".name", "no route leads to receiver %q", r.Name)
		}
		known[r.Name] = true
		if err := r.validate(at); err != nil {
			return err
		}
	}
	for i, r := range c.Routes {
		at := fmt.Sprintf("routes[%d]", i)
		if r.Severity != "" && rank(r.Severity) == 0 {
			return wrong(at+".severity", "%q is no severity: informational, low, medium, high or critical", r.Severity)
		}
		for j, g := range r.Rules {
			if g == "" {
				return wrong(fmt.Sprintf("%s.rules[%d]", at, j), "an empty glob matches no rule")
			}
		}
		if !known[r.Receiver] {
			return wrong(at+".receiver", "there is no receiver %q", r.Receiver)
		}
	}
	return nil
}

func (r Receiver) validate(at string) error {
	switch r.Type {
	case Stdout, Webhook:
		if err := r.validateNoLoki(at); err != nil {
			return err
		}
	}
	switch r.Type {
	case Stdout:
		switch {
		case r.URL != "":
			return wrong(at+".url", "a receiver of type stdout has no url")
		case len(r.Secrets) > 0:
			return wrong(at+".secrets", "a receiver of type stdout has no secrets")
		}
	case Webhook:
		u, err := url.Parse(r.URL)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" {
			// The value may hold a password or a token: it is not repeated.
			return wrong(at+".url", "not an http or https address with a host")
		}
		for i, s := range r.Secrets {
			if _, err := secretKey(s); err != nil {
				return wrong(fmt.Sprintf("%s.secrets[%d]", at, i), "%w", err)
			}
		}
	case Loki:
		return r.validateLoki(at)
	default:
		return wrong(at+".type", "%q is no type: webhook, loki or stdout", r.Type)
	}
	return nil
}

// rank orders the severities by name from 1; 0 is none.
func rank(severity string) int {
	switch severity {
	case "informational":
		return 1
	case "low":
		return 2
	case "medium":
		return 3
	case "high":
		return 4
	case "critical":
		return 5
	}
	return 0
}
