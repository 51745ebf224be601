// SPDX-License-Identifier: Apache-2.0

package alert

import (
	"cmp"
	"fmt"
	"reflect"
	"regexp"
)

// The types of a Receiver.
const (
	Webhook      = "webhook"
	Stdout       = "stdout"
	Loki         = "loki"
	Slack        = "slack"
	PagerDuty    = "pagerduty"
	Alertmanager = "alertmanager"
	Email        = "email"
	NATS         = "nats"
	Shoutrrr     = "shoutrrr"
)

// Config says who hears of incidents.
type Config struct {
	Receivers []Receiver `koanf:"receivers" yaml:"receivers"`
	Routes    []Route    `koanf:"routes" yaml:"routes"`
	// Route is a tree in the words of Alertmanager, instead of Routes.
	Route Tree `yaml:"route"`
	// MuteTimeIntervals are times that routes of the tree name, InhibitRules what is held back while something else is open.
	MuteTimeIntervals []MuteTimes   `yaml:"mute_time_intervals"`
	InhibitRules      []InhibitRule `yaml:"inhibit_rules"`
	// ExternalURL is the console as people reach it, for the links in messages; "" for none.
	ExternalURL string `yaml:"external_url"`
	// DenyPrivate refuses receivers at private and loopback addresses, see [guard].
	DenyPrivate bool `yaml:"deny_private"`
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
	if len(c.Routes) == 0 && !c.hasTree() {
		for _, r := range c.Receivers {
			c.Routes = append(c.Routes, Route{Receiver: r.Name, Continue: true})
		}
	}
	return c
}

// Named is a receiver by what anybody may know of it.
type Named struct {
	Name, Type string
	PerMinute  int
}

// Names returns the receivers that there are, the default's if none is configured.
func (c Config) Names() []Named {
	var out []Named
	for _, r := range c.complete().Receivers {
		out = append(out, Named{r.Name, r.Type, cmp.Or(r.PerMinute, perMinute(r.Type))})
	}
	return out
}

// mutes reads the mute times, by name.
func (c Config) mutes() (map[string][]interval, error) {
	out := make(map[string][]interval)
	for i, t := range c.MuteTimeIntervals {
		at := fmt.Sprintf("mute_time_intervals[%d]", i)
		switch {
		case t.Name == "":
			return nil, wrong(at+".name", "what routes call it")
		case out[t.Name] != nil:
			return nil, wrong(at+".name", "there are times %q already", t.Name)
		}
		ins, err := t.read(at)
		if err != nil {
			return nil, err
		}
		out[t.Name] = ins
	}
	return out, nil
}

func (c Config) inhibitions() ([]inhibition, error) {
	var out []inhibition
	for i, r := range c.InhibitRules {
		x, err := r.read(fmt.Sprintf("inhibit_rules[%d]", i))
		if err != nil {
			return nil, err
		}
		out = append(out, x)
	}
	return out, nil
}

// hasTree reports whether the routes are a tree.
func (c Config) hasTree() bool { return !reflect.ValueOf(c.Route).IsZero() }

// Validate returns the first mistake, a [*ConfigError].
func (c Config) Validate() error {
	if c.hasTree() && len(c.Routes) > 0 {
		return wrong("route", "either the tree of route or the list of routes, not both")
	}
	c = c.complete()
	// A full stop would make the text that is signed ambiguous, a colon the idempotency key.
	name := regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,62}$`)
	used := make(map[string]bool)
	for _, r := range c.Routes {
		used[r.Receiver] = true
	}
	tree := node{}
	if c.hasTree() {
		var err error
		if tree, err = c.Route.read("route", Way{}, 0); err != nil {
			return err
		}
		tree.each(func(n node) { used[n.Receiver] = true })
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
	mutes, err := c.mutes()
	if err != nil {
		return err
	}
	if _, err := c.inhibitions(); err != nil {
		return err
	}
	var unknown *ConfigError
	tree.each(func(n node) {
		if c.hasTree() && unknown == nil && !known[n.Receiver] {
			unknown = wrong(n.Path+".receiver", "there is no receiver %q", n.Receiver)
		}
		for i, name := range n.Mutes {
			if unknown == nil && mutes[name] == nil {
				unknown = wrong(fmt.Sprintf("%s.mute_time_intervals[%d]", n.Path, i), "there is no %q in alert.mute_time_intervals", name)
			}
		}
	})
	if unknown != nil {
		return unknown
	}
	if c.ExternalURL != "" && !webAddress(c.ExternalURL) {
		return wrong("external_url", "not an http or https address with a host")
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
