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
	"tocsin/event/value"
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
func Is(raw value.Value) bool {
	for _, key := range []string{"rule", "priority", "time", "output_fields"} {
		if raw.Get(key).Kind() == value.Missing {
			return false
		}
	}
	return true
}

// Parse makes an Event of a Falco record.
func Parse(e *event.Event, rec event.Record, arrival int64) error {
	if err := plain.Read(e, rec, arrival); err != nil {
		return err
	}
	if !strings.HasPrefix(strings.TrimSpace(string(rec.Raw)), "{") {
		return parseText(e, rec)
	}
	return FromObject(e, rec, e.Object())
}

// FromObject makes an Event, which was reset for rec, of an alert that came in it.
func FromObject(e *event.Event, rec event.Record, raw value.Value) error {
	rule, _ := raw.Get("rule").Str()
	priority, _ := raw.Get("priority").Str()
	if rule == "" {
		return errors.New("a Falco alert needs a rule")
	}
	severity, ok := severities[strings.ToLower(priority)]
	if !ok {
		return fmt.Errorf("unknown priority %q", priority)
	}
	own := plain.Time(raw.Get("time"))
	fields := raw.Get("output_fields")
	if own == 0 {
		own, _ = fields.Get("evt.time").Int64()
	}
	if own == 0 {
		return fmt.Errorf("the time %v cannot be read", raw.Get("time").Any())
	}
	e.SetObject(raw)
	id := Identity(raw)
	e.Time, e.EventID = own, id
	e.ID = event.NewID(rec.Input, id, own)
	e.Set(event.EventSeverity, severity)
	e.Set(event.RuleName, rule)
	e.Put(event.RuleRuleset, raw.Get("source"))
	e.Set(event.EventAction, Slug(rule))
	e.Set(event.EventOutcome, "unknown")
	e.Set(event.EventType, "info")
	e.Put(event.HostName, raw.Get("hostname"))
	e.Put(event.Tags, raw.Get("tags"))
	text := raw.Get("output")
	if !text.Exists() {
		text = raw.Get("message")
	}
	e.Put(event.Message, text)
	e.Put(event.EventReason, text)
	if source, _ := raw.Get("source").Str(); source == "internal" {
		// What Falco says of itself: dropped events, metrics, timeouts. A signal of health, not of an attack.
		e.Set(event.EventKind, "event")
		e.Set(event.EventCategory, "host")
		plain.Finish(e, Module, Health)
		return nil
	}
	e.Set(event.EventKind, "alert")
	lift(e, fields)
	plain.Finish(e, Module, Alert)
	return nil
}

// lift sets the canonical fields that Falco's output fields have.
func lift(e *event.Event, fields value.Value) {
	call, _ := fields.Get("evt.type").Str()
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
			if v := fields.Get(n); said(v) && e.Put(f, v) {
				break
			}
		}
	}
	if !e.Field(event.NodeName).Exists() {
		e.Put(event.NodeName, e.Field(event.HostName))
	}
	image, _ := fields.Get("container.image.repository").Str()
	if tag, _ := fields.Get("container.image.tag").Str(); image != "" && tag != "" {
		image += ":" + tag
	}
	if image != "" {
		e.Set(event.ContainerImageName, image)
	}
	if category == "network" {
		if !e.Put(event.SourceIP, fields.Get("fd.cip")) {
			e.Put(event.SourceIP, fields.Get("fd.lip"))
		}
		e.Put(event.SourcePort, fields.Get("fd.cport"))
		e.Put(event.DestinationIP, fields.Get("fd.sip"))
		e.Put(event.DestinationPort, fields.Get("fd.sport"))
	} else {
		e.Put(event.FilePath, fields.Get("fd.name"))
	}
}

// said reports whether Falco knew the field's value.
func said(v value.Value) bool {
	s, ok := v.Str()
	return v.Exists() && (!ok || s != "" && s != "<NA>")
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
func Identity(raw value.Value) string {
	w := event.Writer{}
	for _, key := range []string{"hostname", "time", "rule", "source"} {
		w.Value(raw.Get(key).Any())
	}
	texts := make(map[string]any)
	for name, v := range raw.Get("output_fields").Members() {
		texts[name] = text(v.Any())
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
func parseText(e *event.Event, rec event.Record) error {
	line := strings.ToValidUTF8(strings.TrimSpace(string(rec.Raw)), "\uFFFD")
	stamp, rest, ok := strings.Cut(line, ": ")
	if !ok {
		return errors.New("neither JSON nor a line of Falco: time: Priority message")
	}
	priority, message, _ := strings.Cut(rest, " ")
	severity, ok := severities[strings.ToLower(strings.TrimSuffix(priority, ":"))]
	if !ok {
		return fmt.Errorf("neither JSON nor a line of Falco: unknown priority %q", priority)
	}
	own, dated, err := textTime(stamp, e.Time)
	if err != nil {
		return err
	}
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
	return nil
}

// textTime reads an ISO 8601 time, or a time of day: that nearest to when the record was taken. dated is false for the
// latter, which depends on that.
func textTime(s string, taken int64) (t int64, dated bool, err error) {
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999-0700"} {
		if at, err := time.Parse(layout, s); err == nil && plain.Countable(at) {
			return at.UnixNano(), true, nil
		}
	}
	at, err := time.Parse("15:04:05.999999999", s)
	if err != nil {
		return 0, false, fmt.Errorf("the time %q cannot be read", s)
	}
	day := time.Unix(0, taken).UTC().Truncate(24 * time.Hour)
	near := day.Add(time.Duration(at.Hour())*time.Hour + time.Duration(at.Minute())*time.Minute +
		time.Duration(at.Second())*time.Second + time.Duration(at.Nanosecond())).UnixNano()
	const half, whole = int64(12 * time.Hour), int64(24 * time.Hour)
	if near-taken > half {
		near -= whole
	} else if taken-near > half {
		near += whole
	}
	return near, false, nil
}
