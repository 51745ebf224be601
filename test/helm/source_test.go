// SPDX-License-Identifier: Apache-2.0

package helm_test

import (
	"encoding/json"
	"maps"
	"path"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
)

// TestKyvernoRights: what the chart grants is what deploy/kyverno-rbac.yaml grants, all of it and no more, to the pods' account.
func TestKyvernoRights(t *testing.T) {
	r := render(t, installations["kyverno"])
	n := 0
	for part := range strings.SplitSeq(read(t, "deploy/kyverno-rbac.yaml"), "\n---\n") {
		want := parse(t, part)
		kind := want["kind"].(string)
		if n++; kind == "ServiceAccount" {
			continue
		}
		have := r.one(kind)
		if !reflect.DeepEqual(have["rules"], want["rules"]) {
			t.Errorf("%s has\n%v\nwant\n%v", kind, have["rules"], want["rules"])
		}
		namespace := map[bool]any{true: "soc"}[get(want, "metadata", "namespace") != nil]
		if get(have, "metadata", "namespace") != namespace {
			t.Errorf("%s is in the namespace %v, want %v", kind, get(have, "metadata", "namespace"), namespace)
		}
		if get(want, "roleRef") == nil {
			continue
		}
		of := r.one(get(want, "roleRef", "kind").(string))
		if get(have, "roleRef", "kind") != of["kind"] || get(have, "roleRef", "name") != get(of, "metadata", "name") {
			t.Errorf("%s is of %v", kind, have["roleRef"])
		}
		account := []any{object{"kind": "ServiceAccount", "name": r.pod()["serviceAccountName"], "namespace": "soc"}}
		if !reflect.DeepEqual(have["subjects"], account) || get(r.one("ServiceAccount"), "metadata", "name") != r.pod()["serviceAccountName"] {
			t.Errorf("%s is to %v, want %v", kind, have["subjects"], account)
		}
	}
	for name, values := range installations {
		have := 0
		for _, kind := range []string{"ServiceAccount", "Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding"} {
			have += len(render(t, values).all(kind))
		}
		if want := map[bool]int{true: n, false: 1}[strings.Contains(values, "kyverno: {enabled: true")]; have != want {
			t.Errorf("%s: %d objects are about rights, want %d", name, have, want)
		}
	}
}

// TestMonitoring: the alert rules and dashboards are those of deploy.
func TestMonitoring(t *testing.T) {
	r := render(t, installations["everything"])
	if want := parse(t, read(t, "deploy/prometheus/tocsin.rules.yaml")); !reflect.DeepEqual(r.one("PrometheusRule")["spec"], any(want)) {
		t.Error("the alert rules are others than those of deploy/prometheus")
	}
	dashboards, err := filepath.Glob(filepath.Join(root, "deploy/grafana/*.json"))
	if err != nil || len(dashboards) == 0 {
		t.Fatal(err)
	}
	have := make(map[string]string)
	for _, m := range r.all("ConfigMap") {
		if get(m, "metadata", "labels", "grafana_dashboard") == "1" {
			for name, text := range m["data"].(object) {
				have[name] = text.(string)
			}
		}
	}
	want := make(map[string]string)
	for _, d := range dashboards {
		want["tocsin-"+filepath.Base(d)] = read(t, path.Join("deploy/grafana", filepath.Base(d)))
	}
	if !maps.Equal(have, want) {
		t.Errorf("the dashboards are others than those of deploy/grafana: %d, want %d", len(have), len(want))
	}
}

// TestEveryValueIsTold: each value has a comment above it, a type in the schema, and nothing beside them is taken.
func TestEveryValueIsTold(t *testing.T) {
	comment, key := regexp.MustCompile(`^ *# [A-Za-z]`), regexp.MustCompile(`^( *)([A-Za-z_]+):(.*)$`)
	var before string
	for line := range strings.Lines(read(t, "deploy/helm/tocsin/values.yaml")) {
		m := key.FindStringSubmatch(strings.TrimRight(line, "\n"))
		// A section at the left with values of its own is told by them.
		if m != nil && !comment.MatchString(before) && (m[1] != "" || m[3] != "") {
			t.Errorf("values.yaml says nothing of %s", m[2])
		}
		before = line
	}
	var schema object
	if err := json.Unmarshal([]byte(read(t, "deploy/helm/tocsin/values.schema.json")), &schema); err != nil {
		t.Fatal(err)
	}
	var walk func(at string, values, schema any)
	walk = func(at string, values, schema any) {
		section, ok := values.(object)
		known, _ := get(schema, "properties").(object)
		if !ok || known == nil {
			return
		}
		if get(schema, "additionalProperties") != false {
			t.Errorf("the schema takes anything at %s", at)
		}
		for name, value := range section {
			if known[name] == nil {
				t.Errorf("the schema has no %s%s", at, name)
			}
			walk(at+name+".", value, known[name])
		}
		for name := range known {
			if _, ok := section[name]; !ok && at != "config." && name != "global" {
				t.Errorf("values.yaml has no %s%s", at, name)
			}
		}
	}
	walk("", parse(t, read(t, "deploy/helm/tocsin/values.yaml")), schema)
}

// TestNotes: what is told after an installation is right for it.
func TestNotes(t *testing.T) {
	for name, want := range map[string]string{
		"default":    `port-forward svc/tocsin 8080`,
		"replicas":   `kubectl -n soc get secret tocsin-tokens -o go-template='{{index .data "admin-token" | base64decode}}'`,
		"matchers":   `no TLS within the cluster`,
		"trial":      `everything is lost with the pod`,
		"everything": `https://siem.soc.svc:8081/ingest/vector`,
	} {
		if notes := render(t, installations[name]).notes; !strings.Contains(notes, want) {
			t.Errorf("%s: no %q in\n%s", name, want, notes)
		}
	}
}
