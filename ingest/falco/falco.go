// SPDX-License-Identifier: Apache-2.0

// Package falco reads Falco's alerts: the JSON of http_output (protocols.md 1.2) and the text line that
// Falco sends while json_output is off.
package falco

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"tocsin/event"
	"tocsin/ingest/plain"
)

// Module and the datasets of Falco's events.
const (
	Module = "falco"
	Alert  = "falco.alert"
	Health = "falco.health"
)

// severities maps priorities to the scale of event.severity.
var severities = map[string]int64{
	"emergency": 6, "alert": 6, "critical": 5, "error": 4, "warning": 3, "notice": 2, "informational": 1, "debug": 1,
}

// categories maps system calls to event.category; any other is a process's.
var categories = map[string]string{
	"open": "file", "openat": "file", "openat2": "file", "creat": "file", "unlink": "file", "unlinkat": "file",
	"rename": "file", "renameat": "file", "renameat2": "file", "mkdir": "file", "mkdirat": "file", "rmdir": "file",
	"chmod": "file", "fchmod": "file", "fchmodat": "file", "symlink": "file", "symlinkat": "file", "link": "file",
	"linkat": "file", "write": "file", "read": "file",
	"connect": "network", "accept": "network", "accept4": "network", "bind": "network", "listen": "network",
	"sendto": "network", "sendmsg": "network", "recvfrom": "network", "recvmsg": "network", "socket": "network",
}

// Is reports whether an object has the shape of a Falco alert (protocols.md 4.11).
func Is(raw map[string]any) bool {
	for _, key := range []string{"rule", "priority", "time", "output_fields"} {
		if _, ok := raw[key]; !ok {
			return false
		}
	}
	return true
}

// Parse makes an Event of a Falco record.
func Parse(rec event.Record, arrival int64) (*event.Event, error) {
	if !strings.HasPrefix(strings.TrimSpace(string(rec.Raw)), "{") {
		return parseText(rec, arrival)
	}
	raw, err := plain.Object(rec.Raw)
	if err != nil {
		return nil, err
	}
	return FromObject(rec, arrival, raw)
}

// FromObject makes an Event of a decoded alert; rec is the Record it came in.
func FromObject(rec event.Record, arrival int64, raw map[string]any) (*event.Event, error) {
	rule, _ := raw["rule"].(string)
	priority, _ := raw["priority"].(string)
	if rule == "" {
		return nil, errors.New("a Falco alert needs a rule")
	}
	severity, ok := severities[strings.ToLower(priority)]
	if !ok {
		return nil, fmt.Errorf("unknown priority %q", priority)
	}
	own := plain.Time(raw["time"])
	fields, _ := raw["output_fields"].(map[string]any)
	if own == 0 {
		own, _ = fields["evt.time"].(int64)
	}
	if own == 0 {
		return nil, fmt.Errorf("the time %v cannot be read", raw["time"])
	}
	e := plain.New(rec, arrival, raw)
	id := Identity(raw)
	e.Time, e.EventID = own, id
	e.ID = event.NewID(rec.Input, id, own)
	e.Set(event.EventSeverity, severity)
	e.Set(event.RuleName, rule)
	e.Set(event.RuleRuleset, raw["source"])
	e.Set(event.EventAction, Slug(rule))
	e.Set(event.EventOutcome, "unknown")
	e.Set(event.EventType, "info")
	e.Set(event.HostName, raw["hostname"])
	e.Set(event.Tags, raw["tags"])
	text := raw["output"]
	if text == nil {
		text = raw["message"]
	}
	e.Set(event.Message, text)
	e.Set(event.EventReason, text)
	if raw["source"] == "internal" {
		// What Falco says of itself: dropped events, metrics, timeouts. A signal of health, not of an attack.
		e.Set(event.EventKind, "event")
		e.Set(event.EventCategory, "host")
		plain.Finish(e, Module, Health)
		return e, nil
	}
	e.Set(event.EventKind, "alert")
	lift(e, fields)
	plain.Finish(e, Module, Alert)
	return e, nil
}

// lift sets the canonical fields that Falco's output fields have.
func lift(e *event.Event, fields map[string]any) {
	call, _ := fields["evt.type"].(string)
	category := categories[call]
	if category == "" {
		category = "process"
	}
	e.Set(event.EventCategory, category)
	for f, names := range map[event.Field][]string{
		event.UserName: {"user.name", "ka.user.name"}, event.UserID: {"user.uid"}, event.UserRoles: {"group.name", "ka.user.groups"},
		event.NamespaceName: {"k8s.ns.name", "ka.target.namespace"}, event.PodName: {"k8s.pod.name"}, event.PodUID: {"k8s.pod.uid"},
		event.NodeName: {"k8s.node.name"}, event.ContainerID: {"container.id"}, event.ContainerName: {"container.name"},
		event.ProcessName: {"proc.name"}, event.ProcessCommandLine: {"proc.cmdline"}, event.ProcessParentName: {"proc.pname"},
		event.OrchestratorResourceType: {"ka.target.resource"}, event.OrchestratorResourceName: {"ka.target.name"},
	} {
		for _, n := range names {
			if v := fields[n]; v != nil && v != "" && v != "<NA>" && e.Set(f, v) {
				break
			}
		}
	}
	if e.Get(event.NodeName) == nil {
		e.Set(event.NodeName, e.Get(event.HostName))
	}
	image, _ := fields["container.image.repository"].(string)
	if tag, _ := fields["container.image.tag"].(string); image != "" && tag != "" {
		image += ":" + tag
	}
	if image != "" {
		e.Set(event.ContainerImageName, image)
	}
	if category == "network" {
		if !e.Set(event.SourceIP, fields["fd.cip"]) {
			e.Set(event.SourceIP, fields["fd.lip"])
		}
		e.Set(event.SourcePort, fields["fd.cport"])
		e.Set(event.DestinationIP, fields["fd.sip"])
		e.Set(event.DestinationPort, fields["fd.sport"])
	} else {
		e.Set(event.FilePath, fields["fd.name"])
	}
}

// Slug makes an action of a rule's name: lower case, everything else a dash.
func Slug(name string) string {
	var b strings.Builder
	dash := false
	for _, r := range strings.ToLower(name) {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			if dash && b.Len() > 0 {
				b.WriteByte('-')
			}
			dash = false
			b.WriteRune(r)
		} else {
			dash = true
		}
	}
	return b.String()
}

// TimeFormat is how Falco writes times: UTC, always nine digits (protocols.md 1.2).
const TimeFormat = "2006-01-02T15:04:05.000000000Z"

// Identity hashes what makes two alerts the same: host, time, rule, source and output fields, as parsed, so that
// the order of keys does not count. Fields count as text, since Falco's gRPC has nothing else (protocols.md 4.13).
func Identity(raw map[string]any) string {
	w := event.Writer{}
	for _, key := range []string{"hostname", "time", "rule", "source"} {
		w.Value(raw[key])
	}
	fields, _ := raw["output_fields"].(map[string]any)
	texts := make(map[string]any, len(fields))
	for name, v := range fields {
		texts[name] = text(v)
	}
	w.Value(texts)
	sum := sha256.Sum256(w.B)
	return hex.EncodeToString(sum[:16])
}

// text is a field as Falco's gRPC writes it: texts as they are, all else as JSON.
func text(v any) string {
	if s, ok := v.(string); ok {
		return s
	}
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v) // no value of parsed JSON
	}
	return string(b)
}

// parseText reads `10:15:30.123456789: Warning message` or the same with an ISO 8601 time.
func parseText(rec event.Record, arrival int64) (*event.Event, error) {
	line := strings.ToValidUTF8(strings.TrimSpace(string(rec.Raw)), "\uFFFD")
	stamp, rest, ok := strings.Cut(line, ": ")
	if !ok {
		return nil, errors.New("neither JSON nor a line of Falco: time: Priority message")
	}
	priority, message, _ := strings.Cut(rest, " ")
	severity, ok := severities[strings.ToLower(strings.TrimSuffix(priority, ":"))]
	if !ok {
		return nil, fmt.Errorf("neither JSON nor a line of Falco: unknown priority %q", priority)
	}
	own, dated, err := textTime(stamp, arrival)
	if err != nil {
		return nil, err
	}
	e := plain.New(rec, arrival, map[string]any{"message": line})
	sum := sha256.Sum256([]byte(line))
	id := hex.EncodeToString(sum[:16])
	stable := int64(0)
	if dated {
		stable = own
	}
	e.Time, e.EventID, e.ID = own, id, event.NewID(rec.Input, id+":"+strconv.FormatUint(uint64(rec.Ordinal), 10), stable)
	e.Set(event.EventSeverity, severity)
	e.Set(event.EventKind, "alert")
	e.Set(event.EventCategory, "process")
	e.Set(event.EventType, "info")
	e.Set(event.EventOutcome, "unknown")
	e.Set(event.Message, message)
	e.Set(event.EventReason, message)
	plain.Finish(e, Module, Alert)
	return e, nil
}

// textTime reads an ISO 8601 time, or a time of day: that nearest to the arrival. dated is false for the
// latter, which depends on the arrival.
func textTime(s string, arrival int64) (t int64, dated bool, err error) {
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999-0700"} {
		if at, err := time.Parse(layout, s); err == nil {
			return at.UnixNano(), true, nil
		}
	}
	at, err := time.Parse("15:04:05.999999999", s)
	if err != nil {
		return 0, false, fmt.Errorf("the time %q cannot be read", s)
	}
	day := time.Unix(0, arrival).UTC().Truncate(24 * time.Hour)
	near := day.Add(time.Duration(at.Hour())*time.Hour + time.Duration(at.Minute())*time.Minute +
		time.Duration(at.Second())*time.Second + time.Duration(at.Nanosecond())).UnixNano()
	const half, whole = int64(12 * time.Hour), int64(24 * time.Hour)
	if near-arrival > half {
		near -= whole
	} else if arrival-near > half {
		near += whole
	}
	return near, false, nil
}
