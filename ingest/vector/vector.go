// SPDX-License-Identifier: Apache-2.0

// Package vector reads records that Vector forwards, in the shapes that its sources give them (protocols.md 3.6).
package vector

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"

	"tocsin/event"
	"tocsin/ingest/audit"
	"tocsin/ingest/falco"
	"tocsin/ingest/plain"
)

// Module is the module of a record that is Vector's own.
const Module = "vector"

// SourceEventID is the key under which a Record has the id that Vector gave the event when a source made it. Only Vector's
// native protocol carries one (protocols.md 3.4).
const SourceEventID = "vector.source_event_id"

// Origin is what Vector says of where a record comes from.
type Origin struct{ Namespace, Container, File string }

// Trust says what the `message` of a record may be read as: an alert of Falco, JSON of the application, an audit event of
// a Kubernetes API server.
type Trust struct{ Falco, JSON, Audit bool }

// Parse makes an Event of a record from Vector.
func Parse(rec event.Record, arrival int64, trust func(Origin) Trust) (*event.Event, error) {
	raw, err := plain.Object(rec.Raw)
	if err != nil {
		return nil, err
	}
	kube, _ := raw["kubernetes"].(map[string]any)
	container, _ := kube["container_name"].(string)
	if container == "" {
		container, _ = raw["container_name"].(string)
	}
	namespace, _ := kube["pod_namespace"].(string)
	file, _ := raw["file"].(string)
	may := trust(Origin{namespace, container, file})
	var inner map[string]any
	if text, ok := raw["message"].(string); ok && may != (Trust{}) && strings.HasPrefix(strings.TrimSpace(text), "{") {
		if v, err := event.ParseJSON([]byte(text)); err == nil {
			inner, _ = v.(map[string]any)
		}
	}
	if may.Falco && inner != nil && falco.Is(inner) {
		return falco.FromObject(rec, arrival, inner)
	}
	if may.Audit && inner != nil && audit.Is(inner) {
		return audit.FromObject(rec, arrival, inner)
	}
	e := plain.New(rec, arrival, raw)
	describe(e, raw, kube)
	if may.JSON && inner != nil {
		// The application's own fields stand beside Vector's: raw.json.…
		raw["json"] = inner
		plain.Lift(e, inner)
	}
	plain.Lift(e, raw)
	own := plain.OwnTime(raw)
	id, timed := naturalID(rec, raw, kube)
	plain.Identify(e, rec, own, id)
	if !timed {
		e.ID = event.NewID(rec.Input, id, 0)
	}
	plain.Finish(e, Module, "")
	return e, nil
}

// describe sets what Vector says of where a line came from.
func describe(e *event.Event, raw, kube map[string]any) {
	set := func(f event.Field, v any) {
		if s, ok := v.(string); ok && s != "" {
			e.Set(f, s)
		}
	}
	set(event.HostName, raw["hostname"])
	set(event.HostName, raw["host"])
	set(event.ServiceName, raw["appname"])
	set(event.ServiceName, raw["service"])
	if level, ok := raw["level"].(string); ok {
		set(event.LogLevel, strings.ToLower(level))
	} else if severity, ok := raw["severity"].(string); ok {
		set(event.LogLevel, strings.ToLower(severity))
	}
	set(event.ContainerName, raw["container_name"])
	set(event.ContainerID, raw["container_id"])
	set(event.ContainerImageName, raw["image"])
	set(event.SourceIP, raw["source_ip"])
	for f, name := range map[event.Field]string{
		event.NamespaceName: "pod_namespace", event.PodName: "pod_name", event.PodUID: "pod_uid", event.NodeName: "pod_node_name",
		event.ContainerName: "container_name", event.ContainerID: "container_id", event.ContainerImageName: "container_image",
	} {
		set(f, kube[name])
	}
	if node, ok := kube["pod_node_name"].(string); ok && e.Get(event.HostName) == nil {
		set(event.HostName, node)
	}
}

// naturalID is the source's own id, by what the record has (protocols.md 4.13); "" if nothing in it is one.
// timed is false where the record's time is that of reading, not of the event, and so no part of its identity:
// after a crash Vector reads a file again, and stamps each line anew.
func naturalID(rec event.Record, raw, kube map[string]any) (id string, timed bool) {
	if id := plain.Own(raw); id != "" {
		return id, true
	}
	message, _ := raw["message"].(string)
	if uid, ok := kube["pod_uid"].(string); ok && uid != "" && raw["timestamp"] != nil {
		sum := sha256.Sum256([]byte(message))
		return fmt.Sprintf("%s|%v|%v|%v|%s", uid, kube["container_name"], raw["stream"], raw["timestamp"], hex.EncodeToString(sum[:16])), true
	}
	if raw["source_type"] == "file" && raw["offset"] != nil && raw["file"] != nil {
		return fmt.Sprintf("%v|%v|%v", raw["host"], raw["file"], raw["offset"]), false
	}
	if c, ok := raw["__CURSOR"].(string); ok && c != "" {
		return c, true
	}
	if uuid, ok := raw[SourceEventID].(string); ok && uuid != "" {
		return eventID(rec, uuid), true
	}
	return "", true
}

// eventID is the identity that Vector's own id gives. It comes after the ids above, which outlast a restart of Vector: a line
// that is read again has a new one. And it names what a source took in, not what was made of it: a transform that takes an array
// apart leaves the same id on every element. So the content is a part of it, and the ordinal among equals.
func eventID(rec event.Record, uuid string) string {
	sum := sha256.Sum256(rec.Raw)
	id := uuid + "|" + hex.EncodeToString(sum[:16])
	if rec.Ordinal > 0 {
		id += "|" + strconv.FormatUint(uint64(rec.Ordinal), 10)
	}
	return id
}
