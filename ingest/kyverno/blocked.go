// SPDX-License-Identifier: Apache-2.0

package kyverno

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"strings"
)

// Blocked is the value of event.action of a blocked admission (protocols.md 2.3).
const Blocked = "blocked"

// What Kyverno's admission controller calls itself, and what it says it did (protocols.md 2.3).
const (
	// PolicyViolation is the reason of the Events to look at, AdmissionController who reports them.
	PolicyViolation     = "PolicyViolation"
	AdmissionController = "kyverno-admission"
	blockedAction       = "Resource Blocked"
	blockedNote         = " (blocked)"
)

// IsBlocked says whether a Kubernetes Event tells of an admission that was blocked (protocols.md 2.3). Audit results
// and background scans make Events of the same reason, which the reports have already. Kyverno is known to call some
// blocked that were not, where several policies match: the record keeps the note as it was.
func IsBlocked(obj map[string]any) bool {
	controller := text(obj["reportingController"])
	if controller == "" {
		controller = text(obj["reportingComponent"])
	}
	return controller == AdmissionController && text(obj["reason"]) == PolicyViolation &&
		text(obj["action"]) == blockedAction && strings.Contains(note(obj), blockedNote)
}

// note is the text of an Event, which core/v1 calls its message.
func note(obj map[string]any) string {
	if s := text(obj["note"]); s != "" {
		return s
	}
	return text(obj["message"])
}

// BlockedRecord returns the record of an Event: the Event itself with the cluster's name, without managedFields.
func BlockedRecord(cluster string, obj map[string]any) ([]byte, error) {
	out := maps.Clone(obj)
	if meta, ok := obj["metadata"].(map[string]any); ok {
		meta = maps.Clone(meta)
		delete(meta, "managedFields")
		out["metadata"] = meta
	}
	if cluster != "" {
		out["cluster"] = cluster
	}
	b, err := json.Marshal(out)
	if err != nil {
		return nil, fmt.Errorf("encode an Event: %w", err)
	}
	return b, nil
}

// noteForm is what Kyverno writes: Pod shop/web: [rule] fail (blocked); the message.
var noteForm = regexp.MustCompile(`(?s)^(\S+) (\S+): \[([^\]]*)\] (\w+) \(blocked\)(?:; ?(.*))?$`)
