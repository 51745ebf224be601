// SPDX-License-Identifier: Apache-2.0

package ingest_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tocsin/event"
	"tocsin/ingest"
)

const arrival = 1_787_307_400_000_000_000

const falcoAlert = `{"hostname":"node-a","output":"10:15:30.123456789: Warning Sensitive file opened","output_fields":{"container.id":"4c1f","container.image.repository":"registry.local/shop/web","container.image.tag":"1.4.2","container.name":"web","evt.time":1787307330123456789,"evt.type":"openat","fd.name":"/etc/shadow","k8s.ns.name":"shop","k8s.pod.name":"web-1","proc.cmdline":"cat /etc/shadow","proc.name":"cat","proc.pname":"sh","user.loginuid":-1,"user.name":"root","user.uid":0,"nothing":null},"priority":"Warning","rule":"Read sensitive file untrusted","source":"syscall","tags":["T1555","container"],"time":"2026-08-21T10:15:30.123456789Z"}`

func parse(t *testing.T, source, raw string, cfg ingest.ParserConfig) *event.Event {
	t.Helper()
	e, err := ingest.NewParser(cfg).Parse(event.Record{Input: "in", Source: source, Raw: []byte(raw)}, arrival)
	if err != nil {
		t.Fatalf("%s: %v", raw, err)
	}
	return e
}

func TestFalcoFields(t *testing.T) {
	t.Parallel()
	e := parse(t, "falco", falcoAlert, ingest.ParserConfig{})
	want := map[string]any{
		"@timestamp": event.Stamp(1787307330123456789), "event.kind": "alert", "event.category": "file", "event.type": "info",
		"event.action": "read-sensitive-file-untrusted", "event.outcome": "unknown", "event.severity": int64(3),
		"event.module": "falco", "event.dataset": "falco.alert", "event.reason": "10:15:30.123456789: Warning Sensitive file opened",
		"event.ingested": event.Stamp(arrival), "event.id": e.EventID, "rule.name": "Read sensitive file untrusted", "rule.ruleset": "syscall",
		"user.name": "root", "user.id": "0", "host.name": "node-a", "k8s.namespace.name": "shop", "k8s.pod.name": "web-1", "k8s.node.name": "node-a",
		"container.id": "4c1f", "container.name": "web", "container.image.name": "registry.local/shop/web:1.4.2",
		"process.name": "cat", "process.command_line": "cat /etc/shadow", "process.parent.name": "sh", "file.path": "/etc/shadow",
		"message": "10:15:30.123456789: Warning Sensitive file opened", "tags": []any{"T1555", "container"},
		"related.user": []any{"root"}, "related.hosts": []any{"node-a"}, "observer.name": "in",
	}
	if d := cmp.Diff(want, e.Fields()); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	if n := e.Object().Path("output_fields", "evt.time").Any(); n != int64(1787307330123456789) {
		t.Errorf("evt.time is %v", n)
	}
}

// TestFalcoIdentity: the order of keys and the route do not count, what happened does.
func TestFalcoIdentity(t *testing.T) {
	t.Parallel()
	direct := parse(t, "falco", falcoAlert, ingest.ParserConfig{})
	turned := `{"time":"2026-08-21T10:15:30.123456789Z",` + strings.TrimPrefix(strings.Replace(falcoAlert, `,"time":"2026-08-21T10:15:30.123456789Z"}`, "}", 1), "{")
	if got := parse(t, "falco", turned, ingest.ParserConfig{}); got.ID != direct.ID {
		t.Error("the order of keys makes another event")
	}
	if got := parse(t, "falco", strings.Replace(falcoAlert, "cat /etc/shadow", "cat /etc/passwd", 1), ingest.ParserConfig{}); got.ID == direct.ID {
		t.Error("another command line is the same event")
	}
	inside := fmt.Sprintf(`{"message":%q,"timestamp":"2026-08-21T10:15:31Z","kubernetes":{"container_name":"falco","pod_namespace":"falco","pod_uid":"u"}}`, falcoAlert)
	believed := parse(t, "vector", inside, ingest.ParserConfig{FalcoFrom: []ingest.ContainerMatch{{Namespace: "falco", Container: "falco"}}})
	if d := cmp.Diff(direct.Fields(), believed.Fields()); d != "" {
		t.Errorf("two routes, two events (P6) (-direct +vector):\n%s", d)
	}
	spoofed := parse(t, "vector", strings.Replace(inside, `"pod_namespace":"falco"`, `"pod_namespace":"shop"`, 1), ingest.ParserConfig{FalcoFrom: []ingest.ContainerMatch{{Namespace: "falco", Container: "falco"}}})
	if m := spoofed.Get(event.EventModule); m != "vector" {
		t.Errorf("a pod that prints Falco's JSON is believed: module %v", m)
	}
}

func TestFalcoOthers(t *testing.T) {
	t.Parallel()
	health := parse(t, "falco", `{"hostname":"a","rule":"Falco internal: syscall event drop","priority":"Debug","source":"internal","time":"2026-08-21T10:15:30Z","output_fields":{"n_drops":"5"}}`, ingest.ParserConfig{})
	if health.Get(event.EventDataset) != "falco.health" || health.Get(event.EventKind) != "event" {
		t.Errorf("an internal message is %v", health.Fields())
	}
	line := parse(t, "falco", "10:16:00.5: Warning Shell spawned | user=root", ingest.ParserConfig{})
	if line.Get(event.Message) != "Shell spawned | user=root" || line.Get(event.EventSeverity) != int64(3) {
		t.Errorf("a text line is %v", line.Fields())
	}
	if got := time.Unix(0, line.Time).UTC().Format(time.RFC3339Nano); got != "2026-08-21T10:16:00.5Z" {
		t.Errorf("the time of day is read as %s", got)
	}
	for _, bad := range []string{`{"priority":"Warning","time":"2026-08-21T10:15:30Z"}`, `{"rule":"x","priority":"Warn","time":"2026-08-21T10:15:30Z"}`, `{"rule":"x","priority":"Warning","time":"soon"}`, "no line of Falco", "0001-01-01T10:16:00Z: Warning Shell", `{"rule":`} {
		_, err := ingest.NewParser(ingest.ParserConfig{}).Parse(event.Record{Source: "falco", Raw: []byte(bad)}, arrival)
		if _, ok := errors.AsType[*ingest.Malformed](err); !ok {
			t.Errorf("%s: %v", bad, err)
		}
	}
}

func TestPlainAndVectorFields(t *testing.T) {
	t.Parallel()
	e := parse(t, "keycloak", `{"timestamp":"2026-08-21T10:15:30.5Z","user":{"name":"ana"},"source.ip":"::ffff:203.0.113.9","event.module":"falco","source.port":"x","event":{"id":"e-1"},"n":9007199254740993}`, ingest.ParserConfig{})
	if e.Get(event.UserName) != "ana" || e.Get(event.SourceIP) != "203.0.113.9" {
		t.Errorf("canonical names, flat or nested: %v", e.Fields())
	}
	if e.Get(event.EventModule) != "keycloak" {
		t.Errorf("a record names its own module: %v", e.Get(event.EventModule))
	}
	if e.Get(event.SourcePort) != nil || e.Object().Get("source.port").Any() != "x" {
		t.Error("a canonical name of the wrong type belongs in raw")
	}
	if e.EventID != "e-1" || e.Object().Get("n").Any() != int64(9007199254740993) {
		t.Errorf("id %s, n %v", e.EventID, e.Object().Get("n").Any())
	}
	k := parse(t, "vector", `{"kubernetes":{"pod_name":"web-1","pod_namespace":"shop","pod_uid":"u","pod_node_name":"node-a","container_name":"web","container_image":"img:1"},"message":"hello","stream":"stdout","timestamp":"2026-08-21T10:15:30Z","level":"WARN"}`, ingest.ParserConfig{})
	for f, want := range map[event.Field]any{
		event.PodName: "web-1", event.NamespaceName: "shop", event.NodeName: "node-a", event.HostName: "node-a", event.ContainerName: "web",
		event.ContainerImageName: "img:1", event.Message: "hello", event.LogLevel: "warn", event.EventModule: "vector",
	} {
		if got := k.Get(f); got != want {
			t.Errorf("%s is %v, want %v", f.Name(), got, want)
		}
	}
	app := parse(t, "vector", `{"kubernetes":{"container_name":"login","pod_namespace":"shop"},"message":"{\"user.name\":\"ana\",\"n\":1}","timestamp":"2026-08-21T10:15:30Z"}`,
		ingest.ParserConfig{JSONFrom: []ingest.ContainerMatch{{Container: "login"}}})
	if app.Get(event.UserName) != "ana" || app.Object().Path("json", "n").Any() != int64(1) {
		t.Errorf("JSON in message: %v %v", app.Fields(), app.Object().Any())
	}
}

// TestIdentity: a retry is the same event, an equal record beside it is another, and inputs do not meet.
func TestIdentity(t *testing.T) {
	t.Parallel()
	p := ingest.NewParser(ingest.ParserConfig{})
	id := func(rec event.Record, at int64) event.ID {
		e, err := p.Parse(rec, at)
		if err != nil {
			t.Fatal(err)
		}
		return e.ID
	}
	line := event.Record{Input: "a", Source: "vector", Raw: []byte(`{"message":"x"}`)}
	again, beside, other := line, line, line
	beside.Ordinal, other.Input = 1, "b"
	if id(line, 1) != id(again, 2) {
		t.Error("a record without a time is another event when it arrives again")
	}
	if id(line, 1) == id(beside, 1) || id(line, 1) == id(other, 1) {
		t.Error("equal records of a request, or of two inputs, are one event")
	}
	file := event.Record{Input: "a", Source: "vector", Raw: []byte(`{"source_type":"file","host":"h","file":"/l","offset":7,"message":"x","timestamp":"2026-08-21T10:15:30Z"}`)}
	reread := file
	reread.Raw = []byte(strings.Replace(string(file.Raw), "10:15:30", "10:20:00", 1))
	if id(file, 1) != id(reread, 1) {
		t.Error("a line of a file that is read again is another event")
	}
	rotated := file
	rotated.Raw = []byte(strings.Replace(string(file.Raw), `"message":"x"`, `"message":"y"`, 1))
	if id(file, 1) == id(rotated, 1) {
		t.Error("another line at the same place, after a rotation, is the same event")
	}
}

func FuzzParse(f *testing.F) {
	f.Add("falco", []byte(falcoAlert))
	f.Add("falco", []byte("10:16:00.5: Warning Shell"))
	f.Add("vector", []byte(`{"kubernetes":{"pod_uid":"u"},"message":"{}","timestamp":1787307330.5}`))
	f.Add("kyverno", []byte(`{"policy":"p","result":"fail","scope":{"kind":"Pod","name":"web"},"timestamp":{"seconds":1787307330,"nanos":0}}`))
	f.Add("any", []byte(`{"event":{"id":1},"user.name":["x"],"@timestamp":1787307330}`))
	f.Add("any", []byte("text \xff"))
	p := ingest.NewParser(ingest.ParserConfig{FalcoFrom: []ingest.ContainerMatch{{}}, JSONFrom: []ingest.ContainerMatch{{}}})
	f.Fuzz(func(t *testing.T, source string, raw []byte) {
		e, err := p.Parse(event.Record{Input: "in", Source: source, Raw: raw}, arrival)
		if err != nil {
			return
		}
		again, err := p.Parse(event.Record{Input: "in", Source: source, Raw: raw}, arrival)
		if err != nil || again.ID != e.ID || !cmp.Equal(e.Fields(), again.Fields()) {
			t.Error("a parser is no function of the record")
		}
	})
}

func BenchmarkParseFalco(b *testing.B) {
	p := ingest.NewParser(ingest.ParserConfig{})
	rec := event.Record{Input: "in", Source: "falco", Raw: []byte(falcoAlert)}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := p.Parse(rec, arrival); err != nil {
			b.Fatal(err)
		}
	}
}

// TestTaken: a record that waited at an edge, and has no time of its own, has that at which it was taken; where it was does not change
// its identity.
func TestTaken(t *testing.T) {
	t.Parallel()
	const taken = arrival - int64(20*time.Hour)
	for _, tc := range []struct {
		source, raw string
		time        int64
	}{
		{"keycloak", `{"user.name":"ana"}`, taken},
		{"keycloak", "a line of text", taken},
		{"vector", `{"message":"x"}`, taken},
		{"falco", "14:16:40: Warning Sensitive file opened", taken}, // in another half of the day than the arrival
		{"keycloak", `{"timestamp":"2026-08-21T10:15:30Z"}`, 1787307330_000_000_000},
	} {
		rec := event.Record{Input: "in", Source: tc.source, Raw: []byte(tc.raw), Taken: taken}
		e, err := ingest.NewParser(ingest.ParserConfig{}).Parse(rec, arrival)
		if err != nil {
			t.Errorf("%s: %v", tc.raw, err)
			continue
		}
		if e.Time != tc.time || e.Arrival != arrival {
			t.Errorf("%s: time %s, arrival %s", tc.raw, event.Stamp(e.Time), event.Stamp(e.Arrival))
		}
		if at := parse(t, tc.source, tc.raw, ingest.ParserConfig{}); at.ID != e.ID || tc.time == taken && at.Time == taken {
			t.Errorf("%s: the identity is %s, and %s of one that waited; time %s", tc.raw, at.ID, e.ID, event.Stamp(at.Time))
		}
	}
}

// TestBadTimes: an Event has the time that its record says and nobody can read, and that alone: not one that is not there, and not
// that of the Event whose memory it has.
func TestBadTimes(t *testing.T) {
	t.Parallel()
	const block = `"kind":"Event","reason":"PolicyViolation","action":"Resource Blocked","reportingController":"kyverno-admission","note":"Pod shop/x: [r] fail (blocked); no","regarding":{"kind":"ClusterPolicy","name":"p"},"related":{"kind":"Pod","name":"x"}`
	p := ingest.NewParser(ingest.ParserConfig{})
	var e event.Event
	for _, tc := range []struct {
		source, raw string
		want        any
	}{
		{"keycloak", `{"timestamp":"yesterday"}`, "yesterday"},
		{"keycloak", `{"a":1}`, nil},
		{"keycloak", `{"@timestamp":"2026-08-21 10:15:30","timestamp":"yesterday"}`, "2026-08-21 10:15:30"},
		{"keycloak", `{"@timestamp":"yesterday","timestamp":"2026-08-21T10:15:30Z"}`, nil},
		{"keycloak", `{"@timestamp":null,"timestamp":""}`, nil},
		{"keycloak", `{"timestamp":0}`, int64(0)},
		{"keycloak", `{"timestamp":"9999-01-01T00:00:00Z"}`, "9999-01-01T00:00:00Z"},
		{"keycloak", `a line of text`, nil},
		{"vector", `{"message":"m","timestamp":"21/Aug/2026:10:15:30 +0000"}`, "21/Aug/2026:10:15:30 +0000"},
		{"vector", `{"message":"m","timestamp":"2026-08-21T10:15:30Z"}`, nil},
		{"audit", `{"verb":"get","auditID":"a","stage":"ResponseComplete","stageTimestamp":"noon"}`, "noon"},
		{"audit", `{"verb":"get","auditID":"a","stage":"ResponseComplete","stageTimestamp":"noon","requestReceivedTimestamp":"2026-08-21T10:15:30Z"}`, nil},
		{"kyverno", `{"policy":"p","result":"fail","seen":"noon"}`, "noon"},
		{"kyverno", `{` + block + `,"eventTime":"noon"}`, "noon"},
		{"kyverno", `{` + block + `,"eventTime":null,"metadata":{"creationTimestamp":"2026-08-21T10:15:30Z"}}`, nil},
	} {
		if err := p.ParseInto(&e, event.Record{Input: "in", Source: tc.source, Raw: []byte(tc.raw)}, arrival); err != nil {
			t.Errorf("%s: %v", tc.raw, err)
			continue
		}
		if got := e.BadTime.Any(); got != tc.want || got != nil && e.Time != arrival {
			t.Errorf("%s: %v cannot be read, want %v; its time is %s", tc.raw, got, tc.want, event.Stamp(e.Time))
		}
	}
}
