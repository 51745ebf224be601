// SPDX-License-Identifier: Apache-2.0

package alert

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"

	"tocsin/event"
	"tocsin/incident"
)

// Message is what an alert says.
type Message struct {
	Kind     Kind
	Receiver string
	// Source names this installation, a URI reference.
	Source   string
	Incident incident.View
	// Detection is the id of the one that the message is about, "" if it is about the incident. It is the only
	// one of the Incident's Detections then.
	Detection string
}

// cloudEvent is a CloudEvents 1.0 event in its structured JSON form.
type cloudEvent struct {
	SpecVersion     string        `json:"specversion"`
	ID              string        `json:"id"`
	Source          string        `json:"source"`
	Type            string        `json:"type"`
	Subject         string        `json:"subject"`
	Time            event.Stamp   `json:"time"`
	DataContentType string        `json:"datacontenttype"`
	Data            incident.View `json:"data"`
}

// A CloudEvents type is the kind between these.
const (
	typePrefix = "io.tocsin.incident."
	typeSuffix = ".v1"
)

// A receiver needs what to look at, not all of it: the API has the rest.
const (
	maxDetections = 20
	maxEvidence   = 20
)

// Body returns a message as CloudEvents 1.0 in structured JSON, on one line: its id is the idempotency
// key, its data the incident with at most 20 detections of at most 20 pieces of evidence each. Equal
// messages have equal bodies.
func Body(m Message) ([]byte, error) {
	v := m.Incident
	shown := make([]incident.DetectionView, 0, min(len(v.Detections), maxDetections))
	for _, d := range v.Detections[:min(len(v.Detections), maxDetections)] {
		d.Evidence = d.Evidence[:min(len(d.Evidence), maxEvidence)]
		shown = append(shown, d)
	}
	v.Detections = shown
	// The clock of a partition that has just begun is not set yet, and a CloudEvent has a time.
	at := cmp.Or(v.UpdatedAt, v.LastEvent)
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	err := enc.Encode(cloudEvent{
		SpecVersion: "1.0", ID: detectionKey(v.ID, m.Receiver, v.Revision, m.Detection), Source: m.Source,
		Type: typePrefix + string(m.Kind) + typeSuffix, Subject: v.ID, Time: at,
		DataContentType: "application/json", Data: v,
	})
	if err != nil {
		return nil, fmt.Errorf("print incident %s: %w", v.ID, err)
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}
