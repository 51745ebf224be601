// SPDX-License-Identifier: Apache-2.0

package audit

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"tocsin/event"
	"tocsin/ingest/plain"
)

// Module and dataset of audit events.
const (
	Module  = "k8s"
	Dataset = "k8s.audit"
)

// types maps verbs to event.type; any other is access.
var types = map[string]string{
	"create": "creation", "update": "change", "patch": "change", "delete": "deletion", "deletecollection": "deletion",
}

// connections are subresources whose requests last as long as a session.
var connections = []string{"exec", "attach", "portforward", "proxy"}

// Is reports whether an object is an audit event.
func Is(raw map[string]any) bool {
	version, _ := raw["apiVersion"].(string)
	return raw["kind"] == "Event" && strings.HasPrefix(version, apiGroup)
}

// Parse makes an Event of an audit record: an event, or what Vector forwards with one in `message`.
func Parse(rec event.Record, arrival int64) (*event.Event, error) {
	raw, err := plain.Object(rec.Raw)
	if err != nil {
		return nil, err
	}
	if text, ok := raw["message"].(string); ok && raw["verb"] == nil {
		v, err := event.ParseJSON([]byte(text))
		if err != nil {
			return nil, fmt.Errorf("message is no audit event: %w", err)
		}
		if raw, ok = v.(map[string]any); !ok {
			return nil, errors.New("message is no audit event")
		}
	}
	return FromObject(rec, arrival, raw)
}

// FromObject makes an Event of a decoded audit event; rec is the Record it came in (protocols.md 4.7 and 4.12).
//
// One request passes several stages, and each is an event of its own. Only the one that says what became of the request
// has an event.action, so that a rule counts a request once. A session (exec, attach, portforward, proxy) has it at its
// start and at its end, under one identity: an intruder's shell is seen when it opens.
func FromObject(rec event.Record, arrival int64, raw map[string]any) (*event.Event, error) {
	verb := str(raw, "verb")
	if verb == "" {
		return nil, errors.New("an audit event needs a verb")
	}
	stage := str(raw, "stage")
	ref, _ := raw["objectRef"].(map[string]any)
	resource := str(ref, "resource")
	if sub := str(ref, "subresource"); sub != "" {
		resource += "/" + sub
	}
	session := slices.Contains(connections, str(ref, "subresource"))
	decided := stage == "ResponseComplete" || stage == "Panic" || stage == "" || session && stage == "ResponseStarted"

	e := plain.New(rec, arrival, raw)
	own := plain.Time(raw["stageTimestamp"])
	if own == 0 {
		own = plain.Time(raw["requestReceivedTimestamp"])
	}
	id := str(raw, "auditID")
	switch {
	case id != "" && session && decided:
		// The identity is the request's: of start and end the one that comes first counts.
		plain.Identify(e, rec, own, id)
		e.ID = event.NewID(rec.Input, id, 0)
	case id != "" && stage != "":
		plain.Identify(e, rec, own, id+"/"+stage)
	default:
		plain.Identify(e, rec, own, id)
	}
	e.Set(event.EventKind, "event")
	e.Set(event.EventCategory, "api")
	e.Set(event.EventSeverity, int64(1))
	e.Set(event.EventType, "info")
	e.Set(event.EventOutcome, "unknown")
	if decided {
		e.Set(event.EventAction, strings.TrimSpace(verb+" "+resource))
		typ := types[verb]
		if typ == "" || session {
			typ = "access"
		}
		e.Set(event.EventType, typ)
	}
	outcome(e, raw, decided)
	who(e, raw)
	where(e, raw, ref)
	e.Set(event.Message, summary(raw, verb, resource, ref))
	plain.Finish(e, Module, Dataset)
	if other, _ := raw["impersonatedUser"].(map[string]any); str(other, "username") != "" {
		users := []string{str(other, "username")}
		if name, ok := e.Get(event.UserName).(string); ok && name != users[0] {
			users = append(users, name)
		}
		slices.Sort(users)
		e.Set(event.RelatedUser, users)
	}
	return e, nil
}

func outcome(e *event.Event, raw map[string]any, decided bool) {
	status, _ := raw["responseStatus"].(map[string]any)
	set(e, event.EventReason, str(status, "reason"))
	if code, ok := status["code"].(int64); ok {
		e.Set(event.HTTPResponseStatusCode, code)
		if decided {
			e.Set(event.EventOutcome, map[bool]string{true: "success", false: "failure"}[code < 400])
		}
	}
	if raw["stage"] == "Panic" {
		e.Set(event.EventOutcome, "failure")
	}
}

// who sets the user that asked, and from where: the last of sourceIPs, which the API server saw itself.
func who(e *event.Event, raw map[string]any) {
	user, _ := raw["user"].(map[string]any)
	set(e, event.UserName, str(user, "username"))
	set(e, event.UserID, str(user, "uid"))
	e.Set(event.UserRoles, user["groups"])
	if ips, ok := raw["sourceIPs"].([]any); ok && len(ips) > 0 {
		e.Set(event.SourceIP, ips[len(ips)-1])
	}
	set(e, event.UserAgentOriginal, str(raw, "userAgent"))
}

// where sets the target, and the pod: the one that was acted on, else the one that acted.
func where(e *event.Event, raw, ref map[string]any) {
	path, _, _ := strings.Cut(str(raw, "requestURI"), "?")
	set(e, event.URLPath, path)
	set(e, event.OrchestratorResourceType, str(ref, "resource"))
	set(e, event.OrchestratorResourceName, str(ref, "name"))
	set(e, event.NamespaceName, str(ref, "namespace"))
	user, _ := raw["user"].(map[string]any)
	extra, _ := user["extra"].(map[string]any)
	set(e, event.NodeName, first(extra, "authentication.kubernetes.io/node-name"))
	if str(ref, "resource") == "pods" {
		set(e, event.PodName, str(ref, "name"))
		return
	}
	pod := first(extra, "authentication.kubernetes.io/pod-name")
	account := strings.Split(str(user, "username"), ":") // system:serviceaccount:NAMESPACE:NAME
	if pod != "" && len(account) == 4 && account[1] == "serviceaccount" {
		e.Set(event.NamespaceName, account[2])
		e.Set(event.PodName, pod)
		set(e, event.PodUID, first(extra, "authentication.kubernetes.io/pod-uid"))
	}
}

func summary(raw map[string]any, verb, resource string, ref map[string]any) string {
	user, _ := raw["user"].(map[string]any)
	target := strings.Trim(str(ref, "namespace")+"/"+str(ref, "name"), "/")
	if target == "" && resource == "" {
		target = str(raw, "requestURI")
	}
	text := strings.Join(strings.Fields(fmt.Sprintf("%s %s %s %s", str(user, "username"), verb, resource, target)), " ")
	if status, ok := raw["responseStatus"].(map[string]any); ok && status["code"] != nil {
		text += strings.TrimRight(fmt.Sprintf(": %v %s", status["code"], str(status, "reason")), " ")
	}
	return text
}

func str(m map[string]any, key string) string {
	s, _ := m[key].(string)
	return s
}

func first(m map[string]any, key string) string {
	if xs, ok := m[key].([]any); ok && len(xs) > 0 {
		s, _ := xs[0].(string)
		return s
	}
	return ""
}

func set(e *event.Event, f event.Field, v string) {
	if v != "" {
		e.Set(f, v)
	}
}
