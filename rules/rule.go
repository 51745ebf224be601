// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"time"

	"tocsin/event"
)

// MaxPatterns bounds the patterns of one rule: they are the bits of Match.Patterns.
const MaxPatterns = 64

// Severity is how bad it is, from 1 (informational) to 5 (critical); its text forms are
// those of the rule files and of OCSF.
type Severity uint8

// The severities.
const (
	Informational Severity = iota + 1
	Low
	Medium
	High
	Critical
)

var severityNames = [...]string{"", "informational", "low", "medium", "high", "critical"}

func (s Severity) String() string { return severityNames[s] }

// ParseSeverity returns the severity of a name.
func ParseSeverity(name string) (Severity, bool) {
	for i, n := range severityNames {
		if i > 0 && n == name {
			return Severity(i), true
		}
	}
	return 0, false
}

// Rule is one compiled detection rule. It is immutable.
type Rule struct {
	// ID is the rule's name: kebab-case, unique in a Set, stable.
	ID string
	// Revision is a hash of what the rule means: state is keyed by it, so that an
	// edit of a title keeps the windows and an edit of a condition does not (R2).
	Revision string

	Title, Description, Runbook string
	Severity                    Severity
	// Attack lists ATT&CK technique ids as written; Tactics the tactics' short names.
	Attack, Tactics []string
	Shadow          bool

	Patterns []Pattern
	When     Cond
	// By holds the names of the key's parts, in order.
	By []string
	// GroupBy indexes By: the parts that make the incident's grouping key.
	GroupBy []int
	// Values are the fields that `distinct` counts, deduplicated; Match.Values has
	// one encoding for each.
	Values []string
	// Within is T; 0 means that the rule has no window: each event stands alone.
	Within time.Duration
	// Quiet is Q, the gap that ends an incident.
	Quiet time.Duration
	// IncidentTitle is the template of `incident.title`, "" for Title.
	IncidentTitle string

	// Children are the rules that `detection("…")` patterns name, each compiled
	// for this rule; Pattern.Child indexes them. A child's By contains this rule's.
	Children []*Rule
	// ParentKey indexes By: the parts of this (child) rule's key that form its
	// parent's key, in the parent's order. Nil for a rule of its own.
	ParentKey []int

	Exceptions []Exception
	Tests      []Test

	// File and Line say where the rule begins.
	File string
	Line int

	// keySources are the key's fields as written, for the revision.
	keySources []string
	// warnings are what is odd about it, for [Set.Warnings]; the rule of each is not set.
	warnings []Warning
	matcher  *matcher
}

// Pattern is one named pattern of a rule.
type Pattern struct {
	Name string
	// Source is the expression as written, "" for a detection.
	Source string
	// Child indexes Rule.Children for `detection("…")`, and is -1 for an expression.
	Child int
}

// Exception is a known-good case that the rule leaves out (E1, E2).
type Exception struct {
	When, Reason, Owner string
	// Expires is the end of the day it was written for, UTC, in Unix nanoseconds.
	Expires int64
}

// Key is a window's key: the typed encodings ([event.AppendValue]) of its parts, in order.
// Keys compare as typed values (K4).
type Key string

// Values decodes the key's parts.
func (k Key) Values() []any {
	var out []any
	b := []byte(k)
	for len(b) > 0 {
		v, rest, err := event.ReadValue(b)
		if err != nil {
			return out
		}
		out, b = append(out, v), rest
	}
	return out
}

// Part returns the key made of the parts at the given places.
func (k Key) Part(places []int) Key {
	vals := k.Values()
	var out []byte
	for _, i := range places {
		if i < len(vals) {
			out = event.AppendValue(out, vals[i])
		}
	}
	return Key(out)
}

// MakeKey encodes key parts.
func MakeKey(vals ...any) Key {
	var out []byte
	for _, v := range vals {
		out = event.AppendValue(out, v)
	}
	return Key(out)
}

// Match says that one Event matched patterns of one rule, for one key.
type Match struct {
	// Rule is the revision of the top-level rule. Path leads from it to the rule whose
	// patterns matched: empty for the rule itself, else indexes into Children.
	Rule string
	Path []int
	// Key is the key for the rule at Path; Group the grouping key of the top-level
	// rule, which decides the partition and the incident.
	Key, Group Key
	// Patterns has bit i set if pattern i matched.
	Patterns uint64
	// Barred is how many references above the rule at Path the nearest rule is that has an exception for the event, 0 if
	// there is none: what the event fires goes no further up than below that rule (E1).
	Barred int
	// Values holds the typed encoding of each of the Values of the rule at Path, then of the rule that
	// refers to it, and so on up to the top; "" if the event lacks it.
	Values []string
	Event  EventRef
}

// Tally is what a matcher counted for one rule in one batch. The public numbers of
// a rule live in the partition of its ID.
type Tally struct {
	// Rule is the rule's ID.
	Rule string
	// Unkeyed counts events that matched and had no key, Excepted those that an exception covered, of the rule or of one that
	// it refers to, and whichever of them they matched.
	Unkeyed, Excepted int64
}
