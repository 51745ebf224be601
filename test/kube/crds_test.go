// SPDX-License-Identifier: Apache-2.0

package kube_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	openreports "github.com/openreports/reports-api/apis/openreports.io/v1alpha1"
	wgpolicyk8s "sigs.k8s.io/wg-policy-prototypes/policy-report/pkg/api/wgpolicyk8s.io/v1alpha2"
	"sigs.k8s.io/yaml"
)

type object = map[string]any

// The groups of the two families of reports, as the modules that define them have it. Without an import the modules would
// not be downloaded.
var (
	wgpolicy = wgpolicyk8s.SchemeGroupVersion.Group
	open     = openreports.SchemeGroupVersion.Group
)

// The folders of those modules that have the definitions.
var (
	wgpolicyCRDs = folder{"sigs.k8s.io/wg-policy-prototypes", "policy-report/crd/v1alpha2"}
	openCRDs     = folder{"github.com/openreports/reports-api", "config/crd"}
)

type folder struct{ module, path string }

// definition reads a CustomResourceDefinition where the go command keeps the module.
func (f folder) definition(t *testing.T, file string) object {
	t.Helper()
	dir, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", f.module).Output()
	if err != nil {
		t.Fatalf("folder of %s: %v", f.module, err)
	}
	b, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(dir)), filepath.FromSlash(f.path), file))
	if err != nil {
		t.Fatalf("definition in %s: %v", f.module, err)
	}
	var crd object
	if err := yaml.Unmarshal(b, &crd); err != nil {
		t.Fatalf("%s of %s: %v", file, f.module, err)
	}
	return crd
}

func policyReports(t *testing.T) object {
	t.Helper()
	return wgpolicyCRDs.definition(t, "wgpolicyk8s.io_policyreports.yaml")
}

func clusterPolicyReports(t *testing.T) object {
	t.Helper()
	return wgpolicyCRDs.definition(t, "wgpolicyk8s.io_clusterpolicyreports.yaml")
}

func reports(t *testing.T) object {
	t.Helper()
	return openCRDs.definition(t, "openreports.io_reports.yaml")
}

func clusterReports(t *testing.T) object {
	t.Helper()
	return openCRDs.definition(t, "openreports.io_clusterreports.yaml")
}

// standIn is a definition for a kind of Kubernetes itself, whose objects have the fields of a schema, and any other.
func standIn(group, plural, kind string, schema object) object {
	schema["type"], schema["x-kubernetes-preserve-unknown-fields"] = "object", true
	served := object{
		"name": "v1", "served": true, "storage": true, "schema": object{"openAPIV3Schema": schema},
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
			"group": group, "scope": "Namespaced", "versions": []any{served},
			"names": object{"plural": plural, "singular": strings.ToLower(kind), "kind": kind, "listKind": kind + "List"},
		},
	}
}

func events() object {
	return standIn("events.k8s.io", "events", "Event", object{"properties": object{
		"reason": object{"type": "string"}, "reportingController": object{"type": "string"},
	}})
}

func leases() object {
	return standIn("coordination.k8s.io", "leases", "Lease", object{})
}
