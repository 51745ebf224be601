// SPDX-License-Identifier: Apache-2.0

package kyverno

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"math"
	"strings"

	"tocsin/event"
)

// Resource names what a result is about (an ObjectReference of protocols.md 2.1).
type Resource struct {
	APIVersion string `json:"apiVersion,omitempty"`
	Kind       string `json:"kind,omitempty"`
	Namespace  string `json:"namespace,omitempty"`
	Name       string `json:"name,omitempty"`
	UID        string `json:"uid,omitempty"`
}

// subject tells one resource from another: the UID where there is one, since names are used again.
func (r Resource) subject() string {
	if r.UID != "" {
		return r.UID
	}
	return strings.Join([]string{r.APIVersion, r.Kind, r.Namespace, r.Name}, "|")
}

// Result is one verdict of one policy on one resource (protocols.md 2.1).
type Result struct {
	Source, Policy, Rule string
	Category, Severity   string
	Result, Message      string
	Scored               bool
	Seconds, Nanos       int64
	Properties           map[string]string
	Resource             Resource
}

// Report is a PolicyReport, ClusterPolicyReport, Report or ClusterReport (protocols.md 2.1).
type Report struct {
	// Ref names the report itself.
	Ref     Resource
	Results []Result
}

// ranks orders results that share a key: the worst is the one that counts.
var ranks = map[string]int{"fail": 5, "error": 4, "warn": 3, "pass": 2, "skip": 1}

// IsViolation says whether a result is there and violates (protocols.md 2.5).
func (r *Result) IsViolation() bool { return r != nil && ranks[r.Result] >= ranks["warn"] }

// key is what makes a result of one rewrite and one of the next the same (protocols.md 2.5).
func (r *Result) key() string {
	w := event.Writer{}
	for _, s := range []string{r.Source, r.Policy, r.Rule, r.Resource.subject()} {
		w.String(s)
	}
	sum := sha256.Sum256(w.B)
	return hex.EncodeToString(sum[:16])
}

// ErrReport says that an object is no report: nothing can be concluded from it, least of all that violations ended.
var ErrReport = errors.New("not a policy report")

// ReadReport reads a report of either group from its decoded JSON (protocols.md 2.1). A result that names no policy
// is left out. A result that names several resources is one Result for each; one that names none is about the
// report's scope.
func ReadReport(obj map[string]any) (Report, error) {
	meta, ok := obj["metadata"].(map[string]any)
	if !ok {
		return Report{}, ErrReport
	}
	rep := Report{Ref: Resource{
		text(obj["apiVersion"]), text(obj["kind"]), text(meta["namespace"]), text(meta["name"]), text(meta["uid"]),
	}}
	list, ok := obj["results"].([]any)
	if !ok && obj["results"] != nil {
		return Report{}, ErrReport
	}
	scope := readResource(obj["scope"])
	for _, v := range list {
		m, ok := v.(map[string]any)
		if !ok || text(m["policy"]) == "" {
			continue
		}
		res := readResult(m)
		if res.Source == "" {
			res.Source = text(obj["source"]) // openreports.io may say it once for all results
		}
		subjects, _ := m["resources"].([]any)
		if len(subjects) == 0 {
			res.Resource = scope
			rep.Results = append(rep.Results, res)
			continue
		}
		for _, s := range subjects {
			res.Resource = readResource(s)
			rep.Results = append(rep.Results, res)
		}
	}
	return rep, nil
}

func readResult(m map[string]any) Result {
	res := Result{
		Source: text(m["source"]), Policy: text(m["policy"]), Rule: text(m["rule"]),
		Category: text(m["category"]), Severity: strings.ToLower(text(m["severity"])),
		Result: strings.ToLower(text(m["result"])), Message: text(m["message"]),
	}
	res.Scored, _ = m["scored"].(bool)
	if at, ok := m["timestamp"].(map[string]any); ok {
		res.Seconds, res.Nanos = whole(at["seconds"]), whole(at["nanos"])
	}
	if props, ok := m["properties"].(map[string]any); ok && len(props) > 0 {
		res.Properties = make(map[string]string, len(props))
		for k, v := range props {
			if s, ok := v.(string); ok {
				res.Properties[k] = s
			}
		}
	}
	return res
}

func readResource(v any) Resource {
	m, _ := v.(map[string]any)
	return Resource{text(m["apiVersion"]), text(m["kind"]), text(m["namespace"]), text(m["name"]), text(m["uid"])}
}

// current gives the result that counts for each key. Those that Falco's sidekick writes are left out: Falco's own
// input has them (protocols.md 1.3).
func current(rep *Report) map[string]*Result {
	out := make(map[string]*Result)
	if rep == nil {
		return out
	}
	for i := range rep.Results {
		r := &rep.Results[i]
		if strings.EqualFold(r.Source, "falco") {
			continue
		}
		k := r.key()
		if old := out[k]; old == nil || worse(r, old) > 0 {
			out[k] = r
		}
	}
	return out
}

// worse orders two results of one key. It is total up to what a record shows, so that the order of a report's results
// does not count.
func worse(a, b *Result) int {
	return cmp.Or(
		cmp.Compare(ranks[a.Result], ranks[b.Result]),
		cmp.Compare(a.Seconds, b.Seconds),
		cmp.Compare(a.Nanos, b.Nanos),
		strings.Compare(a.Message, b.Message),
		strings.Compare(a.Severity, b.Severity),
		strings.Compare(a.Category, b.Category),
	)
}

func text(v any) string {
	s, _ := v.(string)
	return s
}

func whole(v any) int64 {
	switch v := v.(type) {
	case int64:
		return v
	case float64:
		if v == math.Trunc(v) && math.Abs(v) < 1<<53 {
			return int64(v)
		}
	}
	return 0
}
