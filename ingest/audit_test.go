// SPDX-License-Identifier: Apache-2.0

package ingest_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tocsin/event"
	"tocsin/ingest"
	"tocsin/ingest/audit"
)

// request is an audit event of a service account's pod; the parts that tests vary are put in.
func request(stage, verb, ref, rest string) string {
	return fmt.Sprintf(`{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"Metadata","auditID":"7e0c","stage":%q,`+
		`"requestURI":"/api/v1/namespaces/shop/secrets/db?timeout=5s","verb":%q,"user":{"username":"system:serviceaccount:web:front","uid":"u-1",`+
		`"groups":["system:serviceaccounts","system:authenticated"],"extra":{"authentication.kubernetes.io/pod-name":["front-5d9c"],`+
		`"authentication.kubernetes.io/pod-uid":["p-1"],"authentication.kubernetes.io/node-name":["node-a"]}},`+
		`"sourceIPs":["6.6.6.6","10.42.0.17"],"userAgent":"kubectl/v1.33","objectRef":%s,`+
		`"requestReceivedTimestamp":"2026-08-21T10:15:30.100000Z","stageTimestamp":"2026-08-21T10:15:30.104000Z"%s}`, stage, verb, ref, rest)
}

const secretRef = `{"resource":"secrets","namespace":"shop","name":"db","apiVersion":"v1"}`

func TestAuditFields(t *testing.T) {
	t.Parallel()
	raw := request("ResponseComplete", "get", secretRef, `,"responseStatus":{"metadata":{},"status":"Failure","reason":"Forbidden","code":403}`)
	e := parse(t, "kubernetes-audit", raw, ingest.ParserConfig{})
	want := map[string]any{
		"@timestamp": event.Stamp(1787307330104000000), "event.kind": "event", "event.category": "api", "event.type": "access",
		"event.action": "get secrets", "event.outcome": "failure", "event.severity": int64(1), "event.module": "k8s",
		"event.dataset": "k8s.audit", "event.reason": "Forbidden", "event.ingested": event.Stamp(arrival), "event.id": "7e0c/ResponseComplete",
		"user.name": "system:serviceaccount:web:front", "user.id": "u-1", "user.roles": []any{"system:serviceaccounts", "system:authenticated"},
		"source.ip": "10.42.0.17", "user_agent.original": "kubectl/v1.33", "url.path": "/api/v1/namespaces/shop/secrets/db",
		"http.response.status_code": int64(403), "orchestrator.resource.type": "secrets", "orchestrator.resource.name": "db",
		"k8s.namespace.name": "web", "k8s.pod.name": "front-5d9c", "k8s.pod.uid": "p-1", "k8s.node.name": "node-a",
		"message":    "system:serviceaccount:web:front get secrets shop/db: 403 Forbidden",
		"related.ip": []any{"10.42.0.17"}, "related.user": []any{"system:serviceaccount:web:front"}, "related.hosts": []any{"node-a"},
		"observer.name": "in",
	}
	if d := cmp.Diff(want, e.Fields()); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

// TestAuditStages: one stage of a request is what happened; a session is seen when it opens and is one event.
func TestAuditStages(t *testing.T) {
	t.Parallel()
	exec := `{"resource":"pods","subresource":"exec","namespace":"shop","name":"web-1"}`
	for _, tc := range []struct {
		stage, verb, ref, status string
		action, outcome, typ, id string
	}{
		{"RequestReceived", "get", secretRef, "", "", "unknown", "info", "7e0c/RequestReceived"},
		{"ResponseStarted", "watch", secretRef, `"code":200`, "", "unknown", "info", "7e0c/ResponseStarted"},
		{"ResponseComplete", "create", secretRef, `"code":201`, "create secrets", "success", "creation", "7e0c/ResponseComplete"},
		{"ResponseComplete", "patch", secretRef, `"code":200`, "patch secrets", "success", "change", "7e0c/ResponseComplete"},
		{"ResponseComplete", "deletecollection", secretRef, `"code":200`, "deletecollection secrets", "success", "deletion", "7e0c/ResponseComplete"},
		{"Panic", "get", secretRef, `"code":200`, "get secrets", "failure", "access", "7e0c/Panic"},
		{"ResponseStarted", "create", exec, `"code":101`, "create pods/exec", "success", "access", "7e0c"},
		{"ResponseComplete", "get", exec, `"code":101`, "get pods/exec", "success", "access", "7e0c"},
		{"ResponseComplete", "create", exec, `"code":403`, "create pods/exec", "failure", "access", "7e0c"},
		{"ResponseComplete", "get", "null", `"code":200`, "get", "success", "access", "7e0c/ResponseComplete"},
	} {
		status := ""
		if tc.status != "" {
			status = `,"responseStatus":{` + tc.status + `}`
		}
		e := parse(t, "audit", request(tc.stage, tc.verb, tc.ref, status), ingest.ParserConfig{})
		f := e.Fields()
		action, _ := f["event.action"].(string)
		if action != tc.action || f["event.outcome"] != tc.outcome || f["event.type"] != tc.typ || e.EventID != tc.id {
			t.Errorf("%s %s: %q %v %v %s; want %q %s %s %s", tc.stage, tc.verb, action, f["event.outcome"], f["event.type"], e.EventID,
				tc.action, tc.outcome, tc.typ, tc.id)
		}
		if tc.ref == exec && (f["k8s.pod.name"] != "web-1" || f["k8s.namespace.name"] != "shop") {
			t.Errorf("the pod is %v/%v", f["k8s.namespace.name"], f["k8s.pod.name"])
		}
	}
	start := parse(t, "audit", request("ResponseStarted", "create", exec, ""), ingest.ParserConfig{})
	end := parse(t, "audit", strings.Replace(request("ResponseComplete", "create", exec, ""), "10:15:30.104", "13:30:59.104", 1), ingest.ParserConfig{})
	if start.ID != end.ID || start.Time != end.Time {
		t.Error("a session is two events")
	}
	if _, err := ingest.NewParser(ingest.ParserConfig{}).Parse(event.Record{Source: "audit", Raw: []byte(`{"kind":"Event"}`)}, arrival); err == nil {
		t.Error("an event without a verb is none")
	}
}

func TestAuditImpersonation(t *testing.T) {
	t.Parallel()
	e := parse(t, "audit", request("ResponseComplete", "get", secretRef, `,"impersonatedUser":{"username":"admin"}`), ingest.ParserConfig{})
	if d := cmp.Diff([]any{"admin", "system:serviceaccount:web:front"}, e.Get(event.RelatedUser)); d != "" {
		t.Errorf("related.user (-want +got):\n%s", d)
	}
}

// TestAuditInVector: only files and containers that are named are believed.
func TestAuditInVector(t *testing.T) {
	t.Parallel()
	message, err := json.Marshal(request("ResponseComplete", "get", secretRef, ""))
	if err != nil {
		t.Fatal(err)
	}
	raw := fmt.Sprintf(`{"file":"/var/log/kubernetes/audit.log","host":"cp-1","message":%s,"source_type":"file","timestamp":"2026-08-21T10:15:31Z"}`, message)
	if e := parse(t, "vector", raw, ingest.ParserConfig{}); e.Get(event.EventModule) != "vector" {
		t.Errorf("without trust it is %v", e.Get(event.EventModule))
	}
	believed := parse(t, "vector", raw, ingest.ParserConfig{AuditFrom: []ingest.ContainerMatch{{File: "/var/log/kubernetes/*.log"}}})
	posted := parse(t, "kubernetes-audit", raw, ingest.ParserConfig{})
	for _, e := range []*event.Event{believed, posted} {
		if e.Get(event.EventAction) != "get secrets" || e.EventID != "7e0c/ResponseComplete" {
			t.Errorf("%v %s", e.Get(event.EventAction), e.EventID)
		}
	}
}

// received posts a body and returns what of it would be stored.
func received(t *testing.T, source, body string) (records []string, bad []ingest.Quarantined) {
	t.Helper()
	h := ingest.NewHandler(ingest.HandlerConfig{
		Commit: func(_ context.Context, recs []event.Record) error {
			for _, r := range recs {
				records = append(records, string(r.Raw))
			}
			return nil
		},
		Quarantine: func(_ context.Context, qs []ingest.Quarantined) error { bad = append(bad, qs...); return nil },
		Log:        slog.New(slog.DiscardHandler),
	})
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/ingest/"+source, strings.NewReader(body)))
	if w.Code != http.StatusOK {
		t.Fatalf("%s: %d %s", source, w.Code, w.Body)
	}
	return records, bad
}

// TestAuditWebhook posts what an API server posts: each item is a record, byte for byte, but for the bodies of Secrets,
// which are stored nowhere.
func TestAuditWebhook(t *testing.T) {
	t.Parallel()
	body := `,"requestObject":{"kind":"Secret","data":{"password":"aHVudGVyMg=="}} , "responseObject" : {"kind":"Secret","stringData":{"p":"hunter2"}}`
	secret := request("ResponseComplete", "create", secretRef, body)
	pod := request("ResponseComplete", "create", `{"resource":"pods","name":"a"}`, `,"requestObject":{"kind":"Pod", "spec":{}}`)
	token := request("ResponseComplete", "create", `{"resource":"serviceaccounts","subresource":"token"}`, `,"responseObject":{"status":{"token":"hunter2"}}`)
	quoted, err := json.Marshal(secret)
	if err != nil {
		t.Fatal(err)
	}
	list := func(items ...string) string {
		return "{\n \"kind\": \"EventList\", \"apiVersion\": \"audit.k8s.io/v1\", \"metadata\": {}, \"items\": [" + strings.Join(items, ", ") + "]}\n"
	}
	big := request("ResponseComplete", "create", secretRef, `,"requestObject":{"d":"`+strings.Repeat("x", ingest.MaxRecord)+`hunter2"}`)
	var records []string
	var bad []ingest.Quarantined
	post := func(source, body string) {
		t.Helper()
		r, b := received(t, source, body)
		records, bad = append(records, r...), append(bad, b...)
	}
	post("kubernetes-audit", list(secret, pod, token, "3"))
	post("kubernetes-audit", secret+"\n"+pod+"\n")
	post("vector", `{"message":`+string(quoted)+`,"file":"audit.log"}`)
	post("kubernetes-audit", list(big, pod))
	if len(records) != 8 || len(bad) != 1 || bad[0].Reason != "no_object" {
		t.Fatalf("%d records, %d bad", len(records), len(bad))
	}
	for i, r := range records {
		if strings.Contains(r, "hunter2") || strings.Contains(r, "aHVudGVyMg") || !json.Valid([]byte(r)) {
			t.Errorf("record %d tells a secret, or is no JSON:\n%.2000s", i, r)
		}
	}
	if records[1] != pod || records[4] != pod {
		t.Error("what holds no secret is changed")
	}
	if want := `"responseObject" : {"redacted":true,"sha256":"`; !strings.Contains(records[0], want) {
		t.Errorf("%s\ndoes not have %s", records[0], want)
	}
	if records[0] != records[3] {
		t.Error("a list's item and a line of the log differ")
	}
}

// TestSecretsAreStoredNowhere: whatever way an audit event comes, the bodies of Secrets reach neither the stream nor quarantine.
func TestSecretsAreStoredNowhere(t *testing.T) {
	t.Parallel()
	event := request("ResponseComplete", "create", secretRef, `,"requestObject":{"kind":"Secret","data":{"password":"aHVudGVyMg=="}}`)
	nameless := strings.Replace(event, `"kind":"Event","apiVersion":"audit.k8s.io/v1",`, "", 1)
	without := strings.Replace(event, secretRef, "null", 1)
	patched := request("ResponseComplete", "create", secretRef, `,"annotations":{"a":"b","patch.webhook.admission.k8s.io/round_0_index_0":"[{\"value\":\"aHVudGVyMg==\"}]"},"requestObject":null`)
	list := func(item string) string {
		return `{"kind":"EventList","apiVersion":"audit.k8s.io/v1","metadata":{},"items":[` + item + `]}`
	}
	quote := func(s string) string {
		b, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	for _, tt := range []struct {
		name, source, body string
		records, bad       int
	}{
		{"as it is", "kubernetes-audit", event, 1, 0},
		{"a list", "kubernetes-audit", list(event), 1, 0},
		{"a list whose items do not say what they are", "kubernetes-audit", list(nameless), 1, 0},
		{"a list to another endpoint", "vector", list(nameless), 1, 0},
		{"a list as text", "vector", `{"message":` + quote(list(nameless)) + `}`, 1, 0},
		{"below other keys", "vector", `{"a":{"b":[` + event + `]}}`, 1, 0},
		{"as text in text", "vector", `{"a":` + quote(`{"log":`+quote(event)+`}`) + `}`, 1, 0},
		{"behind a prefix", "vector", `{"message":` + quote("2026-08-21T10:15:30Z stdout F "+event) + `}`, 1, 0},
		{"a text that is cut off", "vector", `{"message":` + quote(event[:len(event)-1]) + `}`, 1, 0},
		{"a mark before it", "kubernetes-audit", "\uFEFF" + event, 1, 0},
		{"after a line of text", "kubernetes-audit", "hello\n" + event, 2, 0},
		{"without a reference", "kubernetes-audit", without, 1, 0},
		{"what a webhook patched", "kubernetes-audit", patched, 1, 0},
		{"cut off", "kubernetes-audit", event[:len(event)-1], 0, 1},
		{"over several lines, and broken", "kubernetes-audit", "{\n" + strings.ReplaceAll(event[1:], ",", ",\n") + "}x\n{\"a\":", 1, 2},
		{"broken, over several lines", "kubernetes-audit", "{,\n" + strings.ReplaceAll(event[1:], ",", ",\n"), 0, 26},
		{"after what is none", "vector", `[{"a":1},{"b":},` + event + `]`, 1, 1},
		{"an element that is no object", "vector", `[` + quote(event) + `]`, 0, 1},
		{"too deep", "vector", `{"a":` + strings.Repeat(`[`, 70) + event + strings.Repeat(`]`, 70) + `}`, 0, 1},
		{"too large", "vector", `{"a":"` + strings.Repeat("x", ingest.MaxRecord) + `","b":` + event + `}`, 0, 1},
	} {
		records, bad := received(t, tt.source, tt.body)
		if len(records) != tt.records || len(bad) != tt.bad {
			t.Errorf("%s: %d records and %d bad, want %d and %d", tt.name, len(records), len(bad), tt.records, tt.bad)
		}
		for _, b := range bad {
			records = append(records, string(b.Record.Raw))
		}
		for _, raw := range records {
			if strings.Contains(raw, "aHVudGVyMg") {
				t.Errorf("%s: %.3000s", tt.name, raw)
			}
		}
	}
}

// TestRedactionIsNarrow: what is of no Secret stays, to the byte.
func TestRedactionIsNarrow(t *testing.T) {
	t.Parallel()
	pod := request("ResponseComplete", "create", `{"resource":"pods"}`, `,"requestObject":{"kind":"Pod","n":1e999, "s":"<\u00e9>"},"annotations":{"patch.webhook.admission.k8s.io/a":"[]"}`)
	for _, raw := range []string{
		pod, `{"message":"requestObject of audit.k8s.io"}`, `{"message":"{ audit.k8s.io"}`, "text of audit.k8s.io/requestObject", `[` + pod + `,{"a":"{requestObject}"}]`,
		`{"apiVersion":"audit.k8s.io/v1","objectRef":{"resource":"secrets"},"requestObject":null}`,
	} {
		if clean := audit.Redact([]byte(raw)); string(clean) != raw {
			t.Errorf("%s\nbecame\n%s", raw, clean)
		}
	}
	mixed := audit.Redact([]byte(`[` + request("ResponseComplete", "get", secretRef, `,"responseObject":{"a":1}`) + `,` + pod + `]`))
	if !bytes.HasSuffix(mixed, []byte(","+pod+"]")) || bytes.Contains(mixed, []byte(`{"a":1}`)) {
		t.Errorf("%s", mixed)
	}
}

// FuzzAudit: nothing panics, a redacted record is JSON if it was, and says no more after a second time.
func FuzzAudit(f *testing.F) {
	f.Add([]byte(request("ResponseComplete", "create", secretRef, `,"requestObject":{"data":{"a":"b"}}`)))
	f.Add([]byte(`{"kind":"EventList","apiVersion":"audit.k8s.io/v1","items":[{"objectRef":{"resource":"secrets"},"responseObject":[]},null]}`))
	f.Add([]byte(`{"message":"{\"apiVersion\":\"audit.k8s.io/v1\",\"objectRef\":{\"resource\":\"secrets\"},\"requestObject\":1}"}`))
	f.Add([]byte(`"of audit.k8s.io: {\"requestObject\": "`))
	f.Add([]byte(`["of audit.k8s.io: {\"requestObject\": ", {"objectRef":{"resource":"secrets"},"responseObject":[]}]`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		clean := audit.Redact(raw)
		if again := audit.Redact(clean); json.Valid(raw) && !json.Valid(again) {
			t.Errorf("%q became %q, then %q", raw, clean, again)
		}
		parts, err := audit.Expand(raw)
		if err != nil {
			return
		}
		for _, part := range parts {
			clean := audit.Redact(part)
			if json.Valid(part) != json.Valid(clean) {
				t.Errorf("%q became %q", part, clean)
			}
			_ = audit.Parse(new(event.Event), event.Record{Input: "in", Source: "audit", Raw: clean}, arrival)
			if !bytes.Equal(clean, part) && !bytes.Contains(clean, []byte("redacted")) && !bytes.Contains(clean, []byte("withheld")) {
				t.Errorf("%q became %q", part, clean)
			}
		}
	})
}
