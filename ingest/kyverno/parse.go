// SPDX-License-Identifier: Apache-2.0

package kyverno

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"tocsin/event"
	"tocsin/ingest/plain"
)

// Module and the datasets of the events (protocols.md 4.12).
const (
	Module         = "kyverno"
	ReportDataset  = "kyverno.report"
	BlockedDataset = "kyverno.blocked"
)

// FoundAtStart is the tag of a violation that was there before anybody watched.
const FoundAtStart = "found-at-start"

// severities maps a result's severity to the scale of event.severity; none is 0.
var severities = map[string]int64{"critical": 5, "high": 4, "medium": 3, "low": 2, "info": 1}

// Parse makes an Event of a record of this input (protocols.md 4.12): a transition, the bare result of a report, or
// the Kubernetes Event of a blocked admission.
func Parse(e *event.Event, rec event.Record, arrival int64) error {
	e.Reset(rec, arrival)
	v, err := e.ParseObject(rec.Raw)
	if err != nil {
		return err
	}
	raw, ok := v.Any().(map[string]any) // the form in which the watcher has reports
	if !ok {
		return errors.New("no JSON object")
	}
	if raw["kind"] == "Event" {
		return parseBlocked(e, rec, raw)
	}
	res := readResult(raw)
	if res.Policy == "" {
		return errors.New("a policy result needs a policy")
	}
	res.Resource = readResource(raw["scope"])
	transition, err := transitionOf(raw, &res)
	if err != nil {
		return err
	}
	identifyResult(e, rec, raw, &res, transition)
	e.Set(event.EventAction, transition)
	e.Set(event.EventKind, "state")
	if transition == Violation {
		e.Set(event.EventKind, "alert")
	}
	e.Set(event.EventType, "info")
	e.Set(event.EventOutcome, outcome(transition, res.Result))
	e.Set(event.EventSeverity, severities[res.Severity])
	e.Set(event.RuleRuleset, res.Policy)
	e.Set(event.RuleName, res.Rule)
	if res.Rule == "" { // CEL policies have no rules: the policy is the rule
		e.Set(event.RuleName, res.Policy)
	}
	describe(e, raw, res.Resource)
	message := res.Message
	if message == "" {
		message = summary(transition, text(raw["why"]), &res)
	}
	e.Set(event.Message, message)
	e.Set(event.EventReason, message)
	var tags []string
	if res.Category != "" {
		tags = append(tags, res.Category)
	}
	if raw["at_start"] == true {
		tags = append(tags, FoundAtStart)
	}
	e.SetStrings(event.Tags, tags...)
	plain.Finish(e, Module, ReportDataset)
	return nil
}

// transitionOf reads the transition; a bare result, as tests of rules write it, is what it would begin or end.
func transitionOf(raw map[string]any, res *Result) (string, error) {
	switch t := raw["transition"]; t {
	case Violation, Resolved, Removed:
		return t.(string), nil
	case nil:
	default:
		return "", fmt.Errorf("unknown transition %v", t)
	}
	switch {
	case res.IsViolation():
		return Violation, nil
	case res.Result == "pass":
		return Resolved, nil
	case res.Result == "skip":
		return Removed, nil
	}
	return "", fmt.Errorf("unknown result %q", res.Result)
}

// identifyResult sets time and identity. The record's own id has its second in it; what is told twice may have been
// seen at two times, so the time is no further part of the identity.
func identifyResult(e *event.Event, rec event.Record, raw map[string]any, res *Result, transition string) {
	own := nanoseconds(res.Seconds, res.Nanos)
	if own == 0 {
		own = plain.OwnTime(e, e.Object().Get("seen"))
	}
	id := text(raw["id"])
	if id == "" && own == 0 {
		plain.Identify(e, rec, 0, "")
		return
	}
	if id == "" {
		r := Record{Transition: transition, Cluster: text(raw["cluster"]), Timestamp: &Timestamp{own / int64(time.Second), 0}}
		id = identity(&r, res.key(), State{})
	}
	if own != 0 {
		e.Time = own
	}
	e.EventID, e.ID = id, event.NewID(rec.Input, id, 0)
}

// outcome is failure for what fails, success for what passes; a warning is neither (protocols.md 4.12).
func outcome(transition, result string) string {
	switch {
	case transition == Violation && (result == "fail" || result == "error"):
		return "failure"
	case transition == Resolved:
		return "success"
	}
	return "unknown"
}

// describe sets what both kinds of records say of where it happened.
func describe(e *event.Event, raw map[string]any, r Resource) {
	e.Set(event.EventCategory, "configuration")
	set := func(f event.Field, s string) {
		if s != "" {
			e.Set(f, s)
		}
	}
	set(event.ClusterName, text(raw["cluster"]))
	set(event.OrchestratorResourceType, r.Kind)
	set(event.OrchestratorResourceName, r.Name)
	set(event.NamespaceName, r.Namespace)
	switch r.Kind {
	case "Pod":
		set(event.PodName, r.Name)
		set(event.PodUID, r.UID)
	case "Namespace":
		set(event.NamespaceName, r.Name)
	case "Node":
		set(event.NodeName, r.Name)
	}
}

// summary is the message of what says none, most of all of a result that is gone.
func summary(transition, why string, res *Result) string {
	name := res.Resource.Name
	if res.Resource.Namespace != "" {
		name = res.Resource.Namespace + "/" + name
	}
	if name != "" {
		name = strings.TrimSpace(res.Resource.Kind+" "+name) + ": "
	}
	because := map[string]string{
		ReportGone: ": the report is gone", ResultGone: ": the result is gone", Skipped: ": it is skipped now",
	}[why]
	policy := res.Policy
	if res.Rule != "" {
		policy += "/" + res.Rule
	}
	return name + policy + " " + transition + because
}

// parseBlocked reads the Event of a blocked admission (protocols.md 2.3).
func parseBlocked(e *event.Event, rec event.Record, raw map[string]any) error {
	if !IsBlocked(raw) {
		return errors.New("an Event that tells of no blocked admission")
	}
	meta, _ := raw["metadata"].(map[string]any)
	own := plain.OwnTime(e, e.Object().Get("eventTime"), e.Object().Path("metadata", "creationTimestamp"))
	plain.Identify(e, rec, own, text(meta["uid"]))
	policy := readResource(raw["regarding"])
	resource := readResource(raw["related"])
	if policy.Name == "" {
		policy = readResource(raw["involvedObject"])
	}
	ruleset := policy.Name
	if policy.Namespace != "" {
		ruleset = policy.Namespace + "/" + ruleset
	}
	rule, message := "", note(raw)
	if m := noteForm.FindStringSubmatch(note(raw)); m != nil {
		rule = m[3]
		if resource.Name == "" {
			resource.Kind, resource.Name = m[1], m[2]
			if ns, name, ok := strings.Cut(m[2], "/"); ok {
				resource.Namespace, resource.Name = ns, name
			}
		}
	}
	if rule == "" {
		rule = ruleset
	}
	for f, s := range map[event.Field]string{event.RuleName: rule, event.RuleRuleset: ruleset, event.Message: message, event.EventReason: message} {
		if s != "" {
			e.Set(f, s)
		}
	}
	e.Set(event.EventAction, Blocked)
	e.Set(event.EventKind, "alert")
	e.Set(event.EventType, "denied")
	e.Set(event.EventOutcome, "failure")
	e.Set(event.EventSeverity, int64(0))
	describe(e, raw, resource)
	plain.Finish(e, Module, BlockedDataset)
	return nil
}
