// SPDX-License-Identifier: Apache-2.0

package vector

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"

	"tocsin/event"
	"tocsin/event/value"
	"tocsin/ingest/plain"
)

// meta is what Vector's sources say of a line beside the line.
type meta struct {
	object  value.Value
	message value.Value

	host, hostname, service, appname, level, severity value.Value
	containerName, containerID, image, sourceIP       value.Value
	file, offset, sourceType, stream, timestamp       value.Value
	cursor, sourceEventID                             value.Value

	kube kube
}

// kube is what the kubernetes_logs source adds.
type kube struct {
	namespace, pod, uid, node, container, containerID, image value.Value
}

// readMeta looks at each member of the record once.
func readMeta(object value.Value) meta {
	m := meta{object: object}
	for k, v := range object.Members() {
		switch k {
		case "message":
			m.message = v
		case "host":
			m.host = v
		case "hostname":
			m.hostname = v
		case "service":
			m.service = v
		case "appname":
			m.appname = v
		case "level":
			m.level = v
		case "severity":
			m.severity = v
		case "container_name":
			m.containerName = v
		case "container_id":
			m.containerID = v
		case "image":
			m.image = v
		case "source_ip":
			m.sourceIP = v
		case "file":
			m.file = v
		case "offset":
			m.offset = v
		case "source_type":
			m.sourceType = v
		case "stream":
			m.stream = v
		case "timestamp":
			m.timestamp = v
		case "__CURSOR":
			m.cursor = v
		case SourceEventID:
			m.sourceEventID = v
		case "kubernetes":
			m.kube = readKube(v)
		}
	}
	return m
}

func readKube(object value.Value) kube {
	var k kube
	for key, v := range object.Members() {
		switch key {
		case "pod_namespace":
			k.namespace = v
		case "pod_name":
			k.pod = v
		case "pod_uid":
			k.uid = v
		case "pod_node_name":
			k.node = v
		case "container_name":
			k.container = v
		case "container_id":
			k.containerID = v
		case "container_image":
			k.image = v
		}
	}
	return k
}

func (m *meta) origin() Origin {
	var o Origin
	o.Namespace, _ = m.kube.namespace.Str()
	if o.Container, _ = m.kube.container.Str(); o.Container == "" {
		o.Container, _ = m.containerName.Str()
	}
	o.File, _ = m.file.Str()
	return o
}

// describe sets what Vector says of where a line came from.
func (m *meta) describe(e *event.Event) {
	set := func(f event.Field, v value.Value) {
		if s, ok := v.Str(); ok {
			e.SetText(f, s)
		}
	}
	set(event.HostName, m.hostname)
	set(event.HostName, m.host)
	set(event.ServiceName, m.appname)
	set(event.ServiceName, m.service)
	level, ok := m.level.Str()
	if !ok {
		level, _ = m.severity.Str()
	}
	e.SetText(event.LogLevel, strings.ToLower(level))
	set(event.ContainerName, m.containerName)
	set(event.ContainerID, m.containerID)
	set(event.ContainerImageName, m.image)
	set(event.SourceIP, m.sourceIP)
	set(event.NamespaceName, m.kube.namespace)
	set(event.PodName, m.kube.pod)
	set(event.PodUID, m.kube.uid)
	set(event.NodeName, m.kube.node)
	set(event.ContainerName, m.kube.container)
	set(event.ContainerID, m.kube.containerID)
	set(event.ContainerImageName, m.kube.image)
	if !e.Field(event.HostName).Exists() {
		set(event.HostName, m.kube.node)
	}
}

// naturalID is the source's own id, by what the record has (protocols.md 4.13); "" if nothing in it is one.
// timed is false where the record's time is that of reading, not of the event, and so no part of its identity:
// after a crash Vector reads a file again, and stamps each line anew.
func (m *meta) naturalID(rec event.Record) (id string, timed bool) {
	if id := plain.Own(m.object); id != "" {
		return id, true
	}
	if uid, ok := m.kube.uid.Str(); ok && uid != "" && m.timestamp.Exists() {
		return strings.Join([]string{uid, printed(m.kube.container), printed(m.stream), printed(m.timestamp), m.contentHash()}, "|"), true
	}
	if s, _ := m.sourceType.Str(); s == "file" && m.offset.Exists() && m.file.Exists() {
		// The place alone is another line's after a rotation.
		return strings.Join([]string{printed(m.host), printed(m.file), printed(m.offset), m.contentHash()}, "|"), false
	}
	if c, ok := m.cursor.Str(); ok && c != "" {
		return c, true
	}
	if uuid, ok := m.sourceEventID.Str(); ok && uuid != "" {
		return eventID(rec, uuid), true
	}
	return "", true
}

func (m *meta) contentHash() string {
	message, _ := m.message.Str()
	sum := sha256.Sum256([]byte(message))
	return hex.EncodeToString(sum[:16])
}

// printed is a part of an identity: it must stay as it is.
func printed(v value.Value) string {
	if s, ok := v.Str(); ok {
		return s
	}
	return fmt.Sprint(v.Any())
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
