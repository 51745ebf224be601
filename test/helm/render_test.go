// SPDX-License-Identifier: Apache-2.0

package helm_test

import (
	"path/filepath"
	"strings"
	"testing"

	"helm.sh/helm/v4/pkg/chart/common"
	"helm.sh/helm/v4/pkg/chart/common/util"
	"helm.sh/helm/v4/pkg/chart/v2/lint"
	"helm.sh/helm/v4/pkg/chart/v2/lint/support"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	"helm.sh/helm/v4/pkg/engine"
	"sigs.k8s.io/yaml"
)

// installations are values that go together, each as somebody would write them.
var installations = map[string]string{
	"default": ``,
	"trial":   `persistence: {enabled: false}`,
	"kyverno": `kyverno: {enabled: true, cluster: prod}`,
	"replicas": `
mode: replicas
nats: {url: "tls://nats-0:4222,tls://nats-1:4222", replicas: 3, tlsSecretName: tocsin-nats}
store: {secretName: tocsin-postgres}
persistence: {size: 1Gi}
`,
	"matchers": `
mode: replicas
replicas: 5
roles: [match]
nats: {url: "tls://nats:4222", credsSecretName: tocsin-nats}
persistence: {enabled: false}
`,
	"alerts": `
mode: replicas
roles: [alert]
store: {secretName: tocsin-postgres}
persistence: {enabled: false}
`,
	"everything": `
mode: replicas
replicas: 2
image: {repository: registry.example/soc/tocsin, digest: "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef", pullSecrets: [{name: registry}]}
fullnameOverride: siem
configKind: Secret
config:
  lateness: 10m
  ingest: {falco_from: [{namespace: falco, container: falco}], tls: {client_ca: /tls/ca.crt}}
  api:
    trusted_proxies: [10.0.0.0/8]
    oidc: {issuer: "https://id.example.org/realms/soc", audience: tocsin-api, map: {siem-admin: admin}}
  vector: {client_ca: /tls/ca.crt}
  retention: {events: {age: 14d, bytes: 21474836480}}
  alert:
    receivers: [{name: soc, type: webhook, url: "https://soc.example.org/hook"}]
  log: {level: debug, format: text}
rules:
  extra:
    own.yml: |
      rule: own
      title: Somebody was root
      severity: low
      match: user.name == "root"
auth: {secretName: tocsin-auth}
tls: {secretName: tocsin-tls, plaintext: false}
nats: {url: "nats://nats.nats.svc:4222", replicas: 3, tlsSecretName: tocsin-nats, credsSecretName: tocsin-nats-creds}
store: {secretName: tocsin-postgres}
audit: {secretName: tocsin-audit}
kyverno: {enabled: true, cluster: prod}
persistence: {enabled: false}
service: {type: LoadBalancer, annotations: {example.org/internal: "true"}}
ingress: {enabled: true, className: nginx, host: tocsin.example.org, tlsSecretName: tocsin-web, annotations: {nginx.ingress.kubernetes.io/backend-protocol: HTTPS}}
httpRoute: {enabled: true, parentRefs: [{name: public, namespace: gateways}], hostnames: [tocsin.example.org]}
networkPolicy:
  enabled: true
  metrics: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: monitoring}}}]
  egress: [{ports: [{port: 4222}, {port: 5432}, {port: 443}]}]
monitoring: {podMonitor: true, prometheusRule: true, dashboards: true, labels: {release: prometheus}}
podAnnotations: {example.org/a: b}
podLabels: {team: soc}
nodeSelector: {kubernetes.io/os: linux}
tolerations: [{key: soc, operator: Exists}]
affinity: {podAntiAffinity: {preferredDuringSchedulingIgnoredDuringExecution: [{weight: 1, podAffinityTerm: {topologyKey: kubernetes.io/hostname}}]}}
priorityClassName: high
extraEnv: [{name: TOCSIN_API_OIDC_CLIENT_SECRET, valueFrom: {secretKeyRef: {name: oidc, key: secret}}}]
extraVolumes: [{name: pg-ca, secret: {secretName: pg-ca}}]
extraVolumeMounts: [{name: pg-ca, mountPath: /pg-ca, readOnly: true}]
`,
}

type object = map[string]any

// get follows keys into an object; nil if there is nothing.
func get(in any, path ...any) any {
	for _, p := range path {
		switch p := p.(type) {
		case string:
			m, _ := in.(object)
			in = m[p]
		case int:
			l, _ := in.([]any)
			if p >= len(l) {
				return nil
			}
			in = l[p]
		}
	}
	return in
}

func parse(t *testing.T, text string) object {
	t.Helper()
	var o object
	if err := yaml.Unmarshal([]byte(text), &o); err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	return o
}

// files renders the chart as `helm install tocsin --namespace soc` does.
func files(t *testing.T, values string) (map[string]string, error) {
	t.Helper()
	c, err := loader.Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	options := common.ReleaseOptions{Name: "tocsin", Namespace: "soc", IsInstall: true, Revision: 1}
	all, err := util.ToRenderValues(c, parse(t, values), options, nil)
	if err != nil {
		return nil, err
	}
	return engine.Engine{Strict: true}.Render(c, all)
}

// release is what an installation is made of.
type release struct {
	t       *testing.T
	objects []object
	notes   string
}

func render(t *testing.T, values string) *release {
	t.Helper()
	rendered, err := files(t, values)
	if err != nil {
		t.Fatal(err)
	}
	r := &release{t: t}
	for name, text := range rendered {
		switch filepath.Ext(name) {
		case ".txt":
			r.notes = text
		case ".yaml":
			for part := range strings.SplitSeq("\n"+text, "\n---") {
				if o := parse(t, part); len(o) > 0 {
					r.objects = append(r.objects, o)
				}
			}
		}
	}
	return r
}

// all returns the objects of a kind.
func (r *release) all(kind string) []object {
	var out []object
	for _, o := range r.objects {
		if o["kind"] == kind {
			out = append(out, o)
		}
	}
	return out
}

// one returns the only object of a kind, or the one with a name.
func (r *release) one(kind string, name ...string) object {
	r.t.Helper()
	for _, o := range r.all(kind) {
		if len(name) == 0 && len(r.all(kind)) == 1 || len(name) == 1 && get(o, "metadata", "name") == name[0] {
			return o
		}
	}
	r.t.Fatalf("no %s %s, or several", kind, name)
	return nil
}

// pod is the spec of the pods, container that of their container.
func (r *release) pod() object {
	return get(r.one("StatefulSet"), "spec", "template", "spec").(object)
}

func (r *release) container() object { return get(r.pod(), "containers", 0).(object) }

func TestLint(t *testing.T) {
	for name, values := range installations {
		for _, m := range lint.RunAll(dir, parse(t, values), "soc").Messages {
			if m.Severity > support.InfoSev {
				t.Errorf("%s: %v", name, m)
			}
		}
	}
}

// TestRefused: a value that is none, or does not go with another, is refused, and the message says which.
func TestRefused(t *testing.T) {
	for values, want := range map[string]string{
		`replcas: 2`:                                "additional properties 'replcas' not allowed",
		`monitoring: {podMonitors: true}`:           "at '/monitoring': additional properties 'podMonitors' not allowed",
		`mode: two`:                                 "at '/mode': value must be one of 'one', 'replicas'",
		`replicas: 0`:                               "at '/replicas': minimum",
		`roles: [matching]`:                         "at '/roles/0': value must be one of",
		`persistence: {size: big}`:                  "at '/persistence/size': 'big' does not match pattern",
		`image: {digest: latest}`:                   "at '/image/digest': 'latest' does not match pattern",
		`config: {ingst: {}}`:                       "at '/config': additional properties 'ingst' not allowed",
		`config: {data: /tmp}`:                      "at '/config': additional properties 'data' not allowed",
		`rules: {extra: {readme.md: x}}`:            "at '/rules/extra': additional properties 'readme.md' not allowed",
		`terminationGracePeriodSeconds: 5`:          "at '/terminationGracePeriodSeconds': minimum",
		`config: {api: {listen: ":1"}}`:             "config.api.listen: the chart says it itself",
		`config: {ingest: {tls: {cert: a}}}`:        "config.ingest.tls.cert: the chart says it itself",
		`config: {ingest: {token: secret}}`:         "config.ingest.token: the chart says it itself",
		`config: {api: {oidc: {client_secret: x}}}`: "config.api.oidc.client_secret: it is a secret",
		`roles: [match]`:                            "roles: a process with some roles meets the others",
		`nats: {url: "nats://a"}`:                   "nats.url: mode one has a NATS",
		`store: {secretName: pg}`:                   "store.secretName: mode one has a SQLite",
		`{mode: replicas, store: {secretName: pg}}`: "nats.url: mode replicas wants",
		`{mode: replicas, nats: {url: "nats://a"}}`: "store.secretName: mode replicas wants",
		`{mode: replicas, nats: {url: "nats://a"}, store: {secretName: pg}, persistence: {enabled: false}}`: "audit.secretName: without persistence",
		`tls: {plaintext: false}`:    "tls.secretName: name a Secret",
		`ingress: {enabled: true}`:   "ingress.host: it is empty",
		`httpRoute: {enabled: true}`: "httpRoute.parentRefs: it names no gateway",
		`rules: {shipped: false}`:    "rules: without the shipped ones there are none",
	} {
		if _, err := files(t, values); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", values, err, want)
		}
	}
}
