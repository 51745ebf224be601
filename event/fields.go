// SPDX-License-Identifier: Apache-2.0

package event

import (
	"math"
	"net/netip"
	"strconv"

	"tocsin/event/value"
)

// SchemaVersion is the version of the registry of canonical fields. Fields are
// added within a version; a change of name or type makes a new one.
const SchemaVersion = 1

// Kind is the type of a canonical field.
type Kind uint8

// The kinds of canonical fields and the Go type of their values.
const (
	String  Kind = iota // string
	Int                 // int64
	IP                  // string, in the canonical text form of net/netip
	Strings             // []any of string
	Time                // int64, nanoseconds since the Unix epoch
)

// String names the kind as the docs print it.
func (k Kind) String() string {
	return [...]string{"string", "integer", "ip", "array of strings", "time"}[k]
}

// Field is the slot of a canonical field in an Event.
type Field uint8

// The canonical fields (protocols.md 4.12).
const (
	Timestamp Field = iota
	EventIDField
	EventKind
	EventCategory
	EventType
	EventAction
	EventOutcome
	EventSeverity
	EventModule
	EventDataset
	EventReason
	EventIngested
	RuleName
	RuleRuleset
	UserName
	UserID
	UserRoles
	SourceIP
	SourcePort
	SourceUserName
	DestinationIP
	DestinationPort
	HostName
	ClusterName
	NamespaceName
	PodName
	PodUID
	NodeName
	ContainerID
	ContainerName
	ContainerImageName
	ProcessName
	ProcessCommandLine
	ProcessParentName
	FilePath
	URLPath
	HTTPRequestMethod
	HTTPResponseStatusCode
	UserAgentOriginal
	OrchestratorResourceType
	OrchestratorResourceName
	ServiceName
	LogLevel
	Message
	Tags
	RelatedIP
	RelatedUser
	RelatedHosts
	ObserverName
	NumFields
)

// Def describes one canonical field.
type Def struct {
	Name string
	Kind Kind
	// Derived fields are set by Tocsin alone: a posted record that names one
	// keeps it in raw.
	Derived bool
	Doc     string
}

var registry = [NumFields]Def{
	Timestamp:                {"@timestamp", Time, false, "when it happened"},
	EventIDField:             {"event.id", String, false, "the source's own id"},
	EventKind:                {"event.kind", String, false, "alert, event or state"},
	EventCategory:            {"event.category", String, false, "what it is about: process, file, network, authentication, api, configuration, web"},
	EventType:                {"event.type", String, false, "info, access, change, creation, deletion, denied, start, end, connection"},
	EventAction:              {"event.action", String, false, "what was done, in the source's own terms"},
	EventOutcome:             {"event.outcome", String, false, "success, failure or unknown"},
	EventSeverity:            {"event.severity", Int, false, "0 unknown, 1 informational, 2 low, 3 medium, 4 high, 5 critical, 6 fatal (OCSF)"},
	EventModule:              {"event.module", String, true, "the parser that read it: falco, vector, …"},
	EventDataset:             {"event.dataset", String, true, "the parser's dataset: falco.alert, falco.health, …"},
	EventReason:              {"event.reason", String, false, "why, in the source's words"},
	EventIngested:            {"event.ingested", Time, true, "when Tocsin took it"},
	RuleName:                 {"rule.name", String, false, "the source's rule or policy"},
	RuleRuleset:              {"rule.ruleset", String, false, "the set the rule belongs to"},
	UserName:                 {"user.name", String, false, "who"},
	UserID:                   {"user.id", String, false, "who, by id"},
	UserRoles:                {"user.roles", Strings, false, "groups or roles of who"},
	SourceIP:                 {"source.ip", IP, false, "from where"},
	SourcePort:               {"source.port", Int, false, "from which port"},
	SourceUserName:           {"source.user.name", String, false, "who, at the source of a connection"},
	DestinationIP:            {"destination.ip", IP, false, "to where"},
	DestinationPort:          {"destination.port", Int, false, "to which port"},
	HostName:                 {"host.name", String, false, "the host it happened on"},
	ClusterName:              {"k8s.cluster.name", String, false, "Kubernetes cluster"},
	NamespaceName:            {"k8s.namespace.name", String, false, "Kubernetes namespace"},
	PodName:                  {"k8s.pod.name", String, false, "Kubernetes pod"},
	PodUID:                   {"k8s.pod.uid", String, false, "Kubernetes pod UID"},
	NodeName:                 {"k8s.node.name", String, false, "Kubernetes node"},
	ContainerID:              {"container.id", String, false, "container id"},
	ContainerName:            {"container.name", String, false, "container name"},
	ContainerImageName:       {"container.image.name", String, false, "image, with its tag where known"},
	ProcessName:              {"process.name", String, false, "process"},
	ProcessCommandLine:       {"process.command_line", String, false, "command line"},
	ProcessParentName:        {"process.parent.name", String, false, "parent process"},
	FilePath:                 {"file.path", String, false, "file"},
	URLPath:                  {"url.path", String, false, "path of the request"},
	HTTPRequestMethod:        {"http.request.method", String, false, "method of the request"},
	HTTPResponseStatusCode:   {"http.response.status_code", Int, false, "status of the answer"},
	UserAgentOriginal:        {"user_agent.original", String, false, "user agent"},
	OrchestratorResourceType: {"orchestrator.resource.type", String, false, "kind of the target"},
	OrchestratorResourceName: {"orchestrator.resource.name", String, false, "name of the target"},
	ServiceName:              {"service.name", String, false, "the service that logged it"},
	LogLevel:                 {"log.level", String, false, "level of the log line, lower case"},
	Message:                  {"message", String, false, "the line as people read it"},
	Tags:                     {"tags", Strings, false, "the source's tags"},
	RelatedIP:                {"related.ip", Strings, true, "every address seen in the event"},
	RelatedUser:              {"related.user", Strings, true, "every user seen in the event"},
	RelatedHosts:             {"related.hosts", Strings, true, "every host seen in the event"},
	ObserverName:             {"observer.name", String, true, "the input that took it"},
}

var byName = func() map[string]Field {
	m := make(map[string]Field, NumFields)
	for f, d := range registry {
		m[d.Name] = Field(f)
	}
	return m
}()

// Registry returns the definitions of all canonical fields, by slot.
func Registry() []Def { return append([]Def(nil), registry[:]...) }

// Lookup returns the canonical field of a name.
func Lookup(name string) (Field, bool) { f, ok := byName[name]; return f, ok }

// Name returns the field's canonical name.
func (f Field) Name() string { return registry[f].Name }

// Def returns the field's definition.
func (f Field) Def() Def { return registry[f] }

// convert returns v as the kind's type. Conversions lose nothing: an integral
// float or a decimal string becomes an integer only for an Int field, a number
// becomes its decimal text for a String field.
func (k Kind) convert(v value.Value) (value.Value, bool) {
	switch k {
	case Int, Time:
		return toInt(v)
	case String:
		return toString(v)
	case IP:
		return toIP(v)
	default:
		return toStrings(v)
	}
}

func toInt(v value.Value) (value.Value, bool) {
	switch v.Kind() {
	case value.Int:
		return v, true
	case value.Float:
		f, _ := v.Float64()
		return value.OfInt(int64(f)), f == math.Trunc(f) && math.Abs(f) < 1<<53
	case value.String:
		s, _ := v.Str()
		n, err := strconv.ParseInt(s, 10, 64)
		var b [20]byte
		return value.OfInt(n), err == nil && string(strconv.AppendInt(b[:0], n, 10)) == s
	}
	return v, false
}

func toString(v value.Value) (value.Value, bool) {
	switch v.Kind() {
	case value.String:
		return v, true
	case value.Int, value.Uint:
		return value.OfString(v.Text()), true
	}
	return v, false
}

// toIP accepts an address in any text form and returns its canonical one, so
// that the same address compares equal whichever source wrote it (P6).
func toIP(v value.Value) (value.Value, bool) {
	s, ok := v.Str()
	if !ok {
		return v, false
	}
	a, err := netip.ParseAddr(s)
	if err != nil {
		return v, false
	}
	var b [64]byte
	if text := a.Unmap().AppendTo(b[:0]); string(text) != s {
		v = value.OfString(string(text))
	}
	return v, true
}

// toStrings accepts a string or an array of strings; an empty array is missing.
func toStrings(v value.Value) (value.Value, bool) {
	if s, ok := v.Str(); ok {
		return value.OfStrings(s), true
	}
	n := 0
	for x := range v.Elements() {
		if x.Kind() != value.String {
			return v, false
		}
		n++
	}
	return v, n > 0
}

// valueOf makes a Value of a Go value.
func valueOf(v any) (value.Value, bool) {
	switch v := v.(type) {
	case value.Value:
		return v, true
	case string:
		return value.OfString(v), true
	case int:
		return value.OfInt(int64(v)), true
	case int64:
		return value.OfInt(v), true
	case uint64:
		return value.OfUint(v), true
	case float64:
		return value.OfFloat(v), true
	case bool:
		return value.OfBool(v), true
	case []string:
		return value.OfStrings(v...), true
	case []any:
		ss := make([]string, len(v))
		for i, x := range v {
			s, ok := x.(string)
			if !ok {
				return value.Value{}, false // canonical arrays are of strings
			}
			ss[i] = s
		}
		return value.OfStrings(ss...), true
	}
	return value.Value{}, false
}
