// SPDX-License-Identifier: Apache-2.0

package sigma_test

import (
	"fmt"
	"strings"
	"testing"

	"tocsin/event"
	"tocsin/ingest"
	"tocsin/rules/pred"
)

// asked is an audit event as the API server writes it.
func asked(verb, group, resource, more string) string {
	resource, subresource, _ := strings.Cut(resource, "/")
	return fmt.Sprintf(`{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"Request","auditID":"1","stage":"ResponseComplete","requestURI":"/x","verb":%q,`+
		`"user":{"username":"ana"},"userAgent":"kubectl","objectRef":{"resource":%q,"subresource":%q,"namespace":"shop","name":"web","apiGroup":%q},`+
		`"responseStatus":{"code":200}%s}`, verb, resource, subresource, group, more)
}

// audited are the public rules of Kubernetes, with an event each on which they must fire; "" are those that cannot.
var audited = map[string]string{
	"Kubernetes Admission Controller Modification":        asked("patch", "admissionregistration.k8s.io", "mutatingwebhookconfigurations", ""),
	"Kubernetes CronJob/Job Modification":                 asked("create", "batch", "cronjobs", ""),
	"Deployment Deleted From Kubernetes Cluster":          asked("delete", "apps", "deployments", ""),
	"Kubernetes Events Deleted":                           asked("delete", "", "events", ""),
	"Potential Remote Command Execution In Pod Container": asked("create", "", "pods/exec", ""),
	"Container With A hostPath Mount Created":             asked("create", "", "pods", `,"requestObject":{"spec":{"volumes":[{"name":"t","emptyDir":{}},{"name":"h","hostPath":{"path":"/"}}]}}`),
	"Creation Of Pod In System Namespace":                 strings.Replace(asked("create", "", "pods", ""), `"shop"`, `"kube-system"`, 1),
	"Privileged Container Deployed":                       asked("create", "", "pods", `,"requestObject":{"spec":{"containers":[{"name":"a"},{"name":"b","securityContext":{"capabilities":{"add":["SYS_ADMIN"]}}}]}}`),
	"RBAC Permission Enumeration Attempt":                 asked("create", "authorization.k8s.io", "selfsubjectrulesreviews", ""),
	"Kubernetes Rolebinding Modification":                 asked("update", "rbac.authorization.k8s.io", "rolebindings", ""),
	"Kubernetes Secrets Enumeration":                      asked("list", "", "secrets", ""),
	"Kubernetes Secrets Modified or Deleted":              asked("delete", "", "secrets", ""),
	"New Kubernetes Service Account Created":              asked("create", "", "serviceaccounts", ""),
	"Potential Sidecar Injection Into Running Deployment": asked("patch", "apps", "deployments", ""),
	"Kubernetes Unauthorized or Unauthenticated Access":   strings.Replace(asked("get", "", "pods", ""), "200", "403", 1),
	// It asks for a code ALLOW, which the API server has not: its codes are numbers.
	"Kubernetes Potential Enumeration Activity": "",
}

// TestKubernetesRulesFire: each public rule of Kubernetes fires on an audit event in the API server's own form, by its
// webhook and through Vector.
func TestKubernetesRulesFire(t *testing.T) {
	t.Parallel()
	rules, _ := load(t)
	found := 0
	for _, r := range rules {
		if !strings.Contains(r.Logsource, "product=kubernetes") {
			continue
		}
		record, known := audited[r.Title]
		if !known {
			t.Errorf("there is no event for %q", r.Title)
			continue
		}
		found++
		for _, source := range []string{"audit", "vector"} {
			if record == "" {
				continue
			}
			e, err := ingest.NewParser(ingest.ParserConfig{}).Parse(event.Record{Input: "in", Source: source, Raw: []byte(record)}, 1)
			if err != nil {
				t.Fatalf("%s: %v", record, err)
			}
			if !pred.Eval(r.Condition(), e) {
				t.Errorf("%s (from %s) does not fire on %s", r.Title, source, record)
			}
		}
	}
	if found != len(audited) {
		t.Errorf("%d rules, and events for %d", found, len(audited))
	}
}
