// SPDX-License-Identifier: Apache-2.0

package kube_test

import "strings"

type object = map[string]any

// crd is a definition whose objects have the fields of a schema, and any other.
func crd(group, version, plural, kind, scope string, schema object) object {
	schema["type"], schema["x-kubernetes-preserve-unknown-fields"] = "object", true
	served := object{
		"name": version, "served": true, "storage": true, "schema": object{"openAPIV3Schema": schema},
	}
	if plural == "events" {
		served["selectableFields"] = []any{object{"jsonPath": ".reason"}, object{"jsonPath": ".reportingController"}}
	}
	return object{
		"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
		"metadata": object{
			"name": plural + "." + group,
			// Groups of Kubernetes itself want to know that we are no part of it.
			"annotations": object{"api-approved.kubernetes.io": "unapproved, a stand-in for tests"},
		},
		"spec": object{
			"group": group, "scope": scope, "versions": []any{served},
			"names": object{"plural": plural, "singular": strings.ToLower(kind), "kind": kind, "listKind": kind + "List"},
		},
	}
}

// results is the part of a report's schema that both families share (protocols.md 2.1).
func results() object {
	text, number := object{"type": "string"}, object{"type": "integer", "format": "int64"}
	reference := object{"type": "object", "properties": object{
		"apiVersion": text, "kind": text, "namespace": text, "name": text, "uid": text,
	}}
	return object{"properties": object{
		"scope": reference,
		"results": object{"type": "array", "items": object{
			"type": "object", "required": []any{"policy"},
			"properties": object{
				"source": text, "policy": text, "rule": text, "category": text, "message": text,
				"scored":   object{"type": "boolean"},
				"severity": object{"type": "string", "enum": []any{"critical", "high", "low", "medium", "info"}},
				"result":   object{"type": "string", "enum": []any{"pass", "fail", "warn", "error", "skip"}},
				"timestamp": object{"type": "object", "required": []any{"seconds", "nanos"}, "properties": object{
					"seconds": number, "nanos": number,
				}},
				"resources":  object{"type": "array", "items": reference},
				"properties": object{"type": "object", "additionalProperties": text},
			},
		}},
	}}
}

const (
	wgpolicy = "wgpolicyk8s.io"
	open     = "openreports.io"
)

func policyReports() object {
	return crd(wgpolicy, "v1alpha2", "policyreports", "PolicyReport", "Namespaced", results())
}

func clusterPolicyReports() object {
	return crd(wgpolicy, "v1alpha2", "clusterpolicyreports", "ClusterPolicyReport", "Cluster", results())
}

func reports() object {
	return crd(open, "v1alpha1", "reports", "Report", "Namespaced", results())
}

func events() object {
	return crd("events.k8s.io", "v1", "events", "Event", "Namespaced", object{"properties": object{
		"reason": object{"type": "string"}, "reportingController": object{"type": "string"},
	}})
}

func leases() object {
	return crd("coordination.k8s.io", "v1", "leases", "Lease", "Namespaced", object{})
}
