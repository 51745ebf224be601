// SPDX-License-Identifier: Apache-2.0

package kyverno

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"tocsin/event"
)

// Bounds of what a record carries of a result: a report of 1.5 MB may be one message.
const (
	maxMessage    = 16 << 10
	maxProperties = 16 << 10
)

// Record is one transition of one result, as it is written to the stream (protocols.md 2.5). The names of what the
// report said are the report's own.
type Record struct {
	Transition string      `json:"transition"`
	ID         string      `json:"id"`
	Cluster    string      `json:"cluster,omitempty"`
	Seen       event.Stamp `json:"seen"`
	// AtStart says that the violation was there before anybody watched.
	AtStart bool `json:"at_start,omitempty"`
	// Why says why a violation was removed; Was is the result that it had, Since when it began.
	Why   string      `json:"why,omitempty"`
	Was   string      `json:"was,omitempty"`
	Since event.Stamp `json:"since,omitempty"`

	Source     string            `json:"source,omitempty"`
	Policy     string            `json:"policy"`
	Rule       string            `json:"rule,omitempty"`
	Category   string            `json:"category,omitempty"`
	Severity   string            `json:"severity,omitempty"`
	Result     string            `json:"result,omitempty"`
	Scored     bool              `json:"scored,omitempty"`
	Timestamp  *Timestamp        `json:"timestamp,omitempty"`
	Message    string            `json:"message,omitempty"`
	Properties map[string]string `json:"properties,omitempty"`
	Scope      Resource          `json:"scope"`
	// Report is the report that said so; nil if it is gone.
	Report *Resource `json:"report,omitempty"`
}

// Timestamp is a result's time as a report writes it (protocols.md 2.1).
type Timestamp struct {
	Seconds int64 `json:"seconds"`
	Nanos   int64 `json:"nanos"`
}

// Encode returns the record as it is committed.
func (r *Record) Encode() ([]byte, error) {
	b, err := json.Marshal(r)
	if err != nil {
		return nil, fmt.Errorf("encode a record of policy %s: %w", r.Policy, err)
	}
	return b, nil
}

// take copies what the result says.
func (r *Record) take(res *Result) {
	r.Source, r.Policy, r.Rule, r.Category, r.Severity = res.Source, res.Policy, res.Rule, res.Category, res.Severity
	r.Result, r.Scored, r.Message, r.Scope = res.Result, res.Scored, cut(res.Message), res.Resource
	if res.Seconds != 0 || res.Nanos != 0 {
		r.Timestamp = &Timestamp{res.Seconds, res.Nanos}
	}
	size := 0
	for k, v := range res.Properties {
		size += len(k) + len(v)
	}
	if size <= maxProperties {
		r.Properties = res.Properties
	}
}

// cut bounds a message, between two runes.
func cut(s string) string {
	if len(s) <= maxMessage {
		return s
	}
	return strings.ToValidUTF8(s[:maxMessage], "") + "…"
}

// stamp is the result's own second, 0 if it has none that a clock could have shown.
func (r *Record) stamp() int64 {
	if r.Timestamp == nil || nanoseconds(r.Timestamp.Seconds, r.Timestamp.Nanos) == 0 {
		return 0
	}
	return r.Timestamp.Seconds
}

// time is when it happened: the result's time, else when it was seen.
func (r *Record) time() int64 {
	if r.stamp() == 0 {
		return int64(r.Seen)
	}
	return nanoseconds(r.Timestamp.Seconds, r.Timestamp.Nanos)
}

// nanoseconds is 0 for a time that an int64 cannot hold, or before the Unix epoch.
func nanoseconds(seconds, nanos int64) int64 {
	const most = int64(1<<63-1) / int64(time.Second)
	if seconds <= 0 || seconds >= most || nanos < 0 || nanos >= int64(time.Second) {
		return 0
	}
	return seconds*int64(time.Second) + nanos
}
