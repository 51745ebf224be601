// SPDX-License-Identifier: Apache-2.0

package audit

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"tocsin/event"
	"tocsin/event/value"
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
func Is(raw value.Value) bool {
	return str(raw, "kind") == "Event" && strings.HasPrefix(str(raw, "apiVersion"), apiGroup)
}

// Parse makes an Event of an audit record: an event, or what Vector forwards with one in `message`.
func Parse(e *event.Event, rec event.Record, arrival int64) error {
	if err := plain.Read(e, rec, arrival); err != nil {
		return err
	}
	raw := e.Object()
	if text, ok := raw.Get("message").Str(); ok && !raw.Get("verb").Exists() {
		var err error
		if raw, err = value.Parse([]byte(text)); err != nil {
			return fmt.Errorf("message is no audit event: %w", err)
		}
		if raw.Kind() != value.Object {
			return errors.New("message is no audit event")
		}
	}
	return FromObject(e, rec, raw)
}

// FromObject makes an Event, which was reset for rec, of an audit event that came in it (protocols.md 4.7 and 4.12).
//
// One request passes several stages, and each is an event of its own. Only the one that says what became of the request
// has an event.action, so that a rule counts a request once. A session (exec, attach, portforward, proxy) has it at its
// start and at its end, under one identity: an intruder's shell is seen when it opens.
func FromObject(e *event.Event, rec event.Record, raw value.Value) error {
	verb := str(raw, "verb")
	if verb == "" {
		return errors.New("an audit event needs a verb")
	}
	stage := str(raw, "stage")
	ref := raw.Get("objectRef")
	resource := str(ref, "resource")
	if sub := str(ref, "subresource"); sub != "" {
		resource += "/" + sub
	}
	session := slices.Contains(connections, str(ref, "subresource"))
	decided := stage == "ResponseComplete" || stage == "Panic" || stage == "" || session && stage == "ResponseStarted"

	e.SetObject(raw)
	times := []string{"stageTimestamp", "requestReceivedTimestamp"}
	if session && decided {
		slices.Reverse(times) // start and end are one event: it has one time, whichever comes first
	}
	own := plain.OwnTime(e, raw.Get(times[0]), raw.Get(times[1]))
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
	if other := str(raw.Get("impersonatedUser"), "username"); other != "" {
		users := []string{other}
		if name, ok := e.Field(event.UserName).Str(); ok && name != other {
			users = append(users, name)
		}
		slices.Sort(users)
		e.SetStrings(event.RelatedUser, users...)
	}
	return nil
}

func outcome(e *event.Event, raw value.Value, decided bool) {
	status := raw.Get("responseStatus")
	e.SetText(event.EventReason, str(status, "reason"))
	if code, ok := status.Get("code").Int64(); ok {
		e.Set(event.HTTPResponseStatusCode, code)
		if decided {
			e.Set(event.EventOutcome, map[bool]string{true: "success", false: "failure"}[code < 400])
		}
	}
	if str(raw, "stage") == "Panic" {
		e.Set(event.EventOutcome, "failure")
	}
}

// who sets the user that asked, and from where: the last of sourceIPs, which the API server saw itself.
func who(e *event.Event, raw value.Value) {
	user := raw.Get("user")
	e.SetText(event.UserName, str(user, "username"))
	e.SetText(event.UserID, str(user, "uid"))
	e.Put(event.UserRoles, user.Get("groups"))
	ips := raw.Get("sourceIPs")
	e.Put(event.SourceIP, ips.At(ips.Len()-1))
	e.SetText(event.UserAgentOriginal, str(raw, "userAgent"))
}

// where sets the target, and the pod: the one that was acted on, else the one that acted.
func where(e *event.Event, raw, ref value.Value) {
	path, _, _ := strings.Cut(str(raw, "requestURI"), "?")
	e.SetText(event.URLPath, path)
	e.SetText(event.OrchestratorResourceType, str(ref, "resource"))
	e.SetText(event.OrchestratorResourceName, str(ref, "name"))
	e.SetText(event.NamespaceName, str(ref, "namespace"))
	user := raw.Get("user")
	extra := user.Get("extra")
	e.SetText(event.NodeName, first(extra, "authentication.kubernetes.io/node-name"))
	if str(ref, "resource") == "pods" {
		e.SetText(event.PodName, str(ref, "name"))
		return
	}
	pod := first(extra, "authentication.kubernetes.io/pod-name")
	account := strings.Split(str(user, "username"), ":") // system:serviceaccount:NAMESPACE:NAME
	if pod != "" && len(account) == 4 && account[1] == "serviceaccount" {
		e.Set(event.NamespaceName, account[2])
		e.Set(event.PodName, pod)
		e.SetText(event.PodUID, first(extra, "authentication.kubernetes.io/pod-uid"))
	}
}

func summary(raw value.Value, verb, resource string, ref value.Value) string {
	user := raw.Get("user")
	target := strings.Trim(str(ref, "namespace")+"/"+str(ref, "name"), "/")
	if target == "" && resource == "" {
		target = str(raw, "requestURI")
	}
	text := strings.Join(strings.Fields(fmt.Sprintf("%s %s %s %s", str(user, "username"), verb, resource, target)), " ")
	if status := raw.Get("responseStatus"); status.Get("code").Exists() {
		text += strings.TrimRight(fmt.Sprintf(": %v %s", status.Get("code").Any(), str(status, "reason")), " ")
	}
	return text
}

func str(object value.Value, key string) string {
	s, _ := object.Get(key).Str()
	return s
}

func first(object value.Value, key string) string {
	s, _ := object.Get(key).At(0).Str()
	return s
}
