// SPDX-License-Identifier: Apache-2.0

package helm_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// tocsinYAML is the configuration, from whichever object it is in.
func (r *release) tocsinYAML() string {
	r.t.Helper()
	volumes, _ := r.pod()["volumes"].([]any)
	for _, v := range volumes {
		if get(v, "name") != "config" {
			continue
		}
		if name, ok := get(v, "secret", "secretName").(string); ok {
			return get(r.one("Secret", name), "stringData", "tocsin.yaml").(string)
		}
		return get(r.one("ConfigMap", get(v, "configMap", "name").(string)), "data", "tocsin.yaml").(string)
	}
	r.t.Fatal("the pods have no volume named config")
	return ""
}

// env is what the container has in its environment; what Secrets of the user's hold is made up.
func (r *release) env() []string {
	r.t.Helper()
	out := []string{"PATH=" + os.Getenv("PATH")}
	list, _ := r.container()["env"].([]any)
	for _, e := range list {
		name, ref := get(e, "name").(string), get(e, "valueFrom", "secretKeyRef")
		if ref == nil {
			r.t.Fatalf("%s is from no Secret", name)
		}
		value := map[string]string{"TOCSIN_STORE_URL": "postgres://tocsin:secret@db.example/tocsin"}[name]
		if value == "" {
			value = "made-up"
		}
		for _, s := range r.all("Secret") {
			if get(s, "metadata", "name") == get(ref, "name") {
				b, err := base64.StdEncoding.DecodeString(get(s, "data", get(ref, "key")).(string))
				if err != nil {
					r.t.Fatal(err)
				}
				value = string(b)
			}
		}
		out = append(out, name+"="+value)
	}
	return out
}

// args are those of the container, with the configuration at another place.
func (r *release) args(config string) []string {
	var out []string
	for _, a := range r.container()["args"].([]any) {
		out = append(out, strings.ReplaceAll(a.(string), "/etc/tocsin/tocsin.yaml", config))
	}
	return out
}

// check has tocsin read the configuration of a release, and returns what is in force, each key's value and where it is from.
func (r *release) check() map[string]string {
	r.t.Helper()
	file := filepath.Join(r.t.TempDir(), "tocsin.yaml")
	if err := os.WriteFile(file, []byte(r.tocsinYAML()), 0o600); err != nil {
		r.t.Fatal(err)
	}
	cmd := exec.Command(binary, append([]string{"config", "check"}, r.args(file)[1:]...)...)
	cmd.Env = r.env()
	out, err := cmd.CombinedOutput()
	if err != nil {
		r.t.Fatalf("%v: %s of\n%s", err, out, r.tocsinYAML())
	}
	force, path := make(map[string]string), []string(nil)
	for line := range strings.Lines(string(out)) {
		text := strings.TrimSpace(line)
		depth := (len(line) - len(strings.TrimLeft(line, " "))) / 2
		key, value, _ := strings.Cut(text, ":")
		path = append(path[:depth], key)
		if value, _, ok := strings.Cut(value, " #"); ok {
			force[strings.Join(path, ".")] = strings.TrimSpace(value)
		}
	}
	return force
}

// TestConfigIsRead: tocsin takes what the chart writes, with the container's environment and flags, and means the same by it.
func TestConfigIsRead(t *testing.T) {
	for name, want := range map[string]map[string]string{
		"default": {
			"data": `"/data"`, "rules": `["/rules.d"]`, "roles": `["all"]`, "nats.url": `""`, "store.url": `"sqlite:/data/tocsin.db"`, "log.format": `"json"`,
			"ingest.allow_plaintext": "true", "api.allow_plaintext": "true", "vector.allow_plaintext": "true", "api.token": `"xxxxx"`, "ingest.token": `"xxxxx"`,
			"kyverno.enabled": "false", "audit.key_file": `""`,
		},
		"trial":   {"data": `"/data"`},
		"kyverno": {"kyverno.enabled": "true", "kyverno.cluster": `"prod"`},
		"replicas": {
			"nats.url": `"tls://nats-0:4222,tls://nats-1:4222"`, "nats.replicas": "3", "nats.ca": `"/nats/tls/ca.crt"`, "nats.cert": `"/nats/tls/tls.crt"`,
			"nats.key": `"/nats/tls/tls.key"`, "nats.creds": `""`, "store.url": `"postgres://tocsin:xxxxx@db.example/tocsin"`,
		},
		"matchers": {"roles": `["match"]`, "nats.creds": `"/nats/creds/nats.creds"`, "api.token": `""`, "ingest.token": `""`},
		"alerts":   {"roles": `["alert"]`, "nats.url": `""`},
		"everything": {
			"rules": `["/rules.d", "/rules.extra"]`, "lateness": "10m", "ingest.tls.cert": `"/tls/tls.crt"`, "ingest.tls.client_ca": `"/tls/ca.crt"`,
			"ingest.allow_plaintext": "false", "api.allow_plaintext": "false", "vector.allow_plaintext": "false", "api.tls.key": `"/tls/tls.key"`, "vector.cert": `"/tls/tls.crt"`,
			"api.oidc.client_secret": `"xxxxx"`, "audit.key_file": `"/audit/audit.key"`, "log.level": `"debug"`, "log.format": `"text"`,
			"retention.events.bytes": "21474836480", "retention.events.age": "14d",
		},
	} {
		force := render(t, installations[name]).check()
		for key, value := range want {
			if force[key] != value {
				t.Errorf("%s: %s is %s, want %s", name, key, force[key], value)
			}
		}
	}
	if len(installations) != 7 {
		t.Errorf("of %d installations this test looks at 7", len(installations))
	}
}

// TestConfigKeys: each key that tocsin knows is one that the chart writes itself, or one that config takes.
func TestConfigKeys(t *testing.T) {
	var schema object
	if err := json.Unmarshal([]byte(read(t, "deploy/helm/tocsin/values.schema.json")), &schema); err != nil {
		t.Fatal(err)
	}
	var known, have []string
	for key := range render(t, "").check() {
		key, _, _ = strings.Cut(key, ".")
		known = append(known, key)
	}
	for key := range get(schema, "properties", "config", "properties").(object) {
		have = append(have, key)
	}
	have = append(have, "data", "rules", "roles", "admin", "nats", "store", "audit", "kyverno")
	slices.Sort(known)
	slices.Sort(have)
	if known = slices.Compact(known); !slices.Equal(known, have) {
		t.Errorf("tocsin has the keys\n%v\nthe chart\n%v", known, have)
	}
}

// TestEveryMountIsThere: each file that tocsin.yaml names is under a mount of a volume that there is, or comes with the image.
func TestEveryMountIsThere(t *testing.T) {
	for name, values := range installations {
		r := render(t, values)
		volumes := make(map[string]bool)
		for _, list := range []any{r.pod()["volumes"], get(r.one("StatefulSet"), "spec", "volumeClaimTemplates")} {
			l, _ := list.([]any)
			for _, v := range l {
				volume, _ := get(v, "name").(string)
				if volume == "" {
					volume = get(v, "metadata", "name").(string)
				}
				volumes[volume] = true
			}
		}
		places := []string{"/rules.d"}
		for _, m := range r.container()["volumeMounts"].([]any) {
			places = append(places, get(m, "mountPath").(string))
			if !volumes[get(m, "name").(string)] {
				t.Errorf("%s: no volume is %s", name, get(m, "name"))
			}
		}
		if len(places) != len(volumes)+1 {
			t.Errorf("%s: volumes %v at %v", name, volumes, places)
		}
		for key, value := range r.check() {
			if !strings.HasPrefix(value, `"/`) && !strings.HasPrefix(value, `["/`) {
				continue
			}
			var files []string
			if err := json.Unmarshal([]byte("["+strings.Trim(value, "[]")+"]"), &files); err != nil {
				t.Fatal(key, value, err)
			}
			for _, file := range files {
				if !slices.ContainsFunc(places, func(p string) bool { return file == p || strings.HasPrefix(file, p+"/") }) {
					t.Errorf("%s: nothing is mounted for %s of %s", name, file, key)
				}
			}
		}
	}
}

// TestPorts: who names a port of the pods names one on which tocsin listens.
func TestPorts(t *testing.T) {
	for name, values := range installations {
		r := render(t, values)
		force, ports := r.check(), make(map[any]string)
		for _, p := range r.container()["ports"].([]any) {
			ports[get(p, "name")] = fmt.Sprint(get(p, "containerPort"))
			if want := force[get(p, "name").(string)+".listen"]; want != fmt.Sprintf(`":%v"`, get(p, "containerPort")) {
				t.Errorf("%s: port %v is %v, and tocsin listens on %s", name, get(p, "name"), get(p, "containerPort"), want)
			}
		}
		var named []any
		for _, probe := range []string{"startupProbe", "livenessProbe", "readinessProbe"} {
			named = append(named, get(r.container(), probe, "httpGet", "port"))
		}
		reached := 0
		for _, s := range r.all("Service") {
			for _, p := range get(s, "spec", "ports").([]any) {
				reached++
				named = append(named, get(p, "targetPort"))
				if fmt.Sprint(get(p, "port")) != ports[get(p, "targetPort")] {
					t.Errorf("%s: the Service has %v at %v", name, get(p, "targetPort"), get(p, "port"))
				}
			}
		}
		if want := len(ports) - 1; reached != want { // metrics are scraped from each pod
			t.Errorf("%s: the Service has %d ports, the pods %d and admin", name, reached, want)
		}
		for _, n := range r.all("NetworkPolicy") {
			for _, rule := range get(n, "spec", "ingress").([]any) {
				for _, p := range get(rule, "ports").([]any) {
					named = append(named, get(p, "port"))
				}
			}
		}
		for _, m := range r.all("PodMonitor") {
			named = append(named, get(m, "spec", "podMetricsEndpoints", 0, "port"))
		}
		for _, port := range named {
			if ports[port] == "" {
				t.Errorf("%s: the pods have no port %v", name, port)
			}
		}
	}
}
