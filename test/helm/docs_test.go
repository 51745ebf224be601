// SPDX-License-Identifier: Apache-2.0

package helm_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"helm.sh/helm/v4/pkg/strvals"
	"sigs.k8s.io/yaml"
)

// TestPage: what docs/kubernetes.md shows is taken by the chart and by tocsin, and the names in it are those of the chart's objects.
func TestPage(t *testing.T) {
	page := read(t, "docs/kubernetes.md")
	blocks := regexp.MustCompile("(?s)```yaml\n# values.yaml[^\n]*\n(.*?)```").FindAllStringSubmatch(page, -1)
	if len(blocks) < 5 {
		t.Fatalf("the page shows %d values.yaml", len(blocks))
	}
	for _, b := range blocks {
		r := render(t, b[1])
		r.check()
		for _, m := range r.all("ConfigMap") {
			for name, rule := range m["data"].(object) {
				if name == "tocsin.yaml" || strings.HasSuffix(name, ".json") {
					continue
				}
				file := filepath.Join(t.TempDir(), name)
				if err := os.WriteFile(file, []byte(rule.(string)), 0o600); err != nil {
					t.Fatal(err)
				}
				if out, err := exec.Command(binary, "rules", "check", file).CombinedOutput(); err != nil {
					t.Errorf("%v: %s", err, out)
				}
			}
		}
	}

	// Each --set is one of the chart's values.
	sets := regexp.MustCompile(`--set (\S+)`).FindAllStringSubmatch(page, -1)
	if len(sets) < 3 {
		t.Errorf("the page sets %d values", len(sets))
	}
	for _, set := range sets {
		values, err := strvals.Parse(set[1])
		if err != nil {
			t.Fatal(err)
		}
		text, err := yaml.Marshal(values)
		if err != nil {
			t.Fatal(err)
		}
		render(t, string(text))
	}

	r := render(t, "")
	for _, n := range regexp.MustCompile(`\b(statefulset/|svc/|get secret )([a-z-]+)`).FindAllStringSubmatch(page, -1) {
		r.one(map[string]string{"statefulset/": "StatefulSet", "svc/": "Service", "get secret ": "Secret"}[n[1]], n[2])
	}
	ports := make(map[string]bool)
	for _, p := range get(r.one("Service"), "spec", "ports").([]any) {
		ports[fmt.Sprint(get(p, "port"))] = true
	}
	addresses := regexp.MustCompile(`\b([a-z]+)\.tocsin\.svc:(\d+)`).FindAllStringSubmatch(page, -1)
	if len(addresses) < 3 {
		t.Errorf("the page has %d addresses", len(addresses))
	}
	for _, a := range addresses {
		if r.one("Service", a[1]); !ports[a[2]] {
			t.Errorf("the Service has no port of %s", a[0])
		}
	}

	// The Secrets that it makes have the keys that the pods look for.
	replicas := regexp.MustCompile("(?s)```yaml\n# values.yaml, replicas\n(.*?)```").FindStringSubmatch(page)
	if replicas == nil {
		t.Fatal("the page shows no replicas")
	}
	r = render(t, replicas[1])
	made := make(map[string]string)
	for _, m := range regexp.MustCompile(`create secret generic (\S+)(.*)`).FindAllStringSubmatch(page, -1) {
		made[m[1]] = m[2]
	}
	for _, e := range r.container()["env"].([]any) {
		ref := get(e, "valueFrom", "secretKeyRef")
		if get(ref, "name") != "tocsin-tokens" && !strings.Contains(made[get(ref, "name").(string)], "="+get(ref, "key").(string)+"=") {
			t.Errorf("no Secret of the page has %v", ref)
		}
	}
	for _, key := range []string{"ca", "cert", "key"} {
		file := strings.Trim(r.check()["nats."+key], `"`)
		if !strings.Contains(made["tocsin-nats"]+" ", "--from-file="+filepath.Base(file)+" ") {
			t.Errorf("the Secret tocsin-nats of the page has no %s", filepath.Base(file))
		}
	}
}
