// SPDX-License-Identifier: Apache-2.0

package falcogrpc

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/falcosecurity/client-go/pkg/api/outputs"

	"tocsin/event"
	"tocsin/event/value"
	"tocsin/ingest/falco"
	"tocsin/ingest/plain"
)

// priorities are the names of the enum's numbers, as http_output writes them.
var priorities = [...]string{"Emergency", "Alert", "Critical", "Error", "Warning", "Notice", "Informational", "Debug"}

// typed are the output fields that http_output writes as numbers or booleans, and gRPC as text.
var typed = map[string]bool{
	"evt.time": true, "evt.rawtime": true, "evt.rawtime.s": true, "evt.rawtime.ns": true, "evt.num": true, "evt.cpu": true,
	"evt.count": true, "evt.latency": true, "evt.buflen": true, "evt.rawres": true, "evt.failed": true,
	"evt.is_open_read": true, "evt.is_open_write": true, "evt.is_open_exec": true, "evt.is_open_create": true,
	"proc.pid": true, "proc.ppid": true, "proc.vpid": true, "proc.pvpid": true, "proc.sid": true, "proc.pgid": true,
	"proc.vpgid": true, "proc.tty": true, "proc.duration": true, "proc.nchilds": true, "proc.is_sid_leader": true,
	"proc.is_vpgid_leader": true, "proc.is_exe_writable": true, "proc.is_exe_upper_layer": true, "proc.is_exe_lower_layer": true,
	"proc.is_exe_from_memfd": true, "proc.is_container_healthcheck": true,
	"thread.tid": true, "thread.vtid": true, "user.uid": true, "user.loginuid": true, "group.gid": true, "container.privileged": true,
	"fd.num": true, "fd.port": true, "fd.cport": true, "fd.sport": true, "fd.lport": true, "fd.rport": true,
	"fd.dev": true, "fd.ino": true, "fd.is_server": true,
	// Of the metrics snapshot, what rules compare as it is: the same Falco, read by two routes, is to count one value.
	"falco.outputs_queue_num_drops": true, "falco.num_evts": true, "falco.start_ts": true, "falco.duration_sec": true,
	"scap.n_evts": true, "scap.n_drops": true,
}

// Record returns the alert as http_output would have posted it (protocols.md 1.2), so that an alert is the same Event by
// either way (detection.md P6). Falco with json_output has that text in `output`.
func Record(r *outputs.Response) ([]byte, error) {
	if text := strings.TrimSpace(r.GetOutput()); strings.HasPrefix(text, "{") {
		var e event.Event
		if falco.Parse(&e, event.Record{Source: source, Raw: []byte(text)}, 0) == nil {
			return []byte(text), nil
		}
	}
	if r.GetRule() == "" {
		return nil, errors.New("the alert has no rule")
	}
	p := int(r.GetPriority())
	if p < 0 || p >= len(priorities) {
		return nil, fmt.Errorf("unknown priority %d", p)
	}
	at := r.GetTime().AsTime().Format(falco.TimeFormat)
	if r.GetTime() == nil || !r.GetTime().IsValid() || plain.Time(value.OfString(at)) == 0 {
		return nil, errors.New("the alert has no time")
	}
	fields := make(map[string]any, len(r.GetOutputFields()))
	for name, text := range r.GetOutputFields() {
		fields[name] = typedValue(name, text)
	}
	alert := map[string]any{
		"hostname": r.GetHostname(), "output": r.GetOutput(), "output_fields": fields, "priority": priorities[p],
		"rule": r.GetRule(), "source": r.GetSource(), "time": at,
	}
	if tags := r.GetTags(); len(tags) > 0 {
		alert["tags"] = tags
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(alert); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// typedValue gives a field the type that http_output gives it.
func typedValue(name, text string) any {
	if text == "null" {
		return nil
	}
	base, _, _ := strings.Cut(name, "[")
	if !typed[base] && base != "proc.apid" {
		return text
	}
	if n, err := strconv.ParseInt(text, 10, 64); err == nil && strconv.FormatInt(n, 10) == text {
		return n
	}
	switch text {
	case "true":
		return true
	case "false":
		return false
	}
	return text
}
