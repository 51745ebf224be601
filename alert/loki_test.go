// SPDX-License-Identifier: Apache-2.0

package alert

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	lokiclient "github.com/grafana/loki-client-go/loki"
	"github.com/grafana/loki/pkg/push"
	"github.com/klauspost/compress/snappy"
	"github.com/prometheus/common/model"

	"tocsin/alert/alerttest/lokitest"
	"tocsin/incident"
)

// reference sends one entry with the client of grafana/loki-client-go and returns what it posted.
func reference(t *testing.T, labels model.LabelSet, at time.Time, line string, metadata push.LabelsAdapter) []byte {
	t.Helper()
	got := make(chan []byte, 1)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		got <- body
		w.WriteHeader(http.StatusNoContent)
	}))
	defer srv.Close()
	cfg, err := lokiclient.NewDefaultConfig(srv.URL + "/loki/api/v1/push")
	if err != nil {
		t.Fatal(err)
	}
	c, err := lokiclient.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.HandleWithMetadata(labels, at, line, metadata); err != nil {
		t.Fatal(err)
	}
	c.Stop() // it sends what waits
	return <-got
}

// TestAPushIsAsLokisClientSendsIt: an entry is the same bytes as that client makes of it, and says the same as JSON.
func TestAPushIsAsLokisClientSendsIt(t *testing.T) {
	t.Parallel()
	theirsRaw := reference(t,
		model.LabelSet{"cluster": "prod", "service_name": "tocsin", "severity": "high", "source": "falco", "stream": "incident"},
		time.Date(2026, 11, 20, 10, 0, 0, 123456789, time.UTC), `{"title":"Shell in <web-1> \"ü\""}`, push.LabelsAdapter{
			{Name: "alert_key", Value: "0123456789abcdef0123456789abcdef:logs:7"}, {Name: "kind", Value: "opened"},
		})
	ours, err := encodePush(push.PushRequest{Streams: []push.Stream{{
		Labels: `{cluster="prod", service_name="tocsin", severity="high", source="falco", stream="incident"}`,
		Entries: []push.Entry{{
			Timestamp: time.Date(2026, 11, 20, 10, 0, 0, 123456789, time.UTC), Line: `{"title":"Shell in <web-1> \"ü\""}`,
			StructuredMetadata: push.LabelsAdapter{
				{Name: "alert_key", Value: "0123456789abcdef0123456789abcdef:logs:7"}, {Name: "kind", Value: "opened"},
			},
		}},
	}}})
	if err != nil {
		t.Fatal(err)
	}
	want, err := snappy.Decode(nil, theirsRaw)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := snappy.Decode(nil, ours); err != nil || !bytes.Equal(got, want) {
		t.Errorf("%v\n got %x\nwant %x", err, got, want)
	}
	theirs, err := lokitest.Decode(lokitest.Protobuf, theirsRaw)
	if err != nil {
		t.Fatal(err)
	}
	// The same push in JSON, by hand.
	inJSON := `{"streams":[{"stream":{"cluster":"prod","service_name":"tocsin","severity":"high","source":"falco","stream":"incident"},` +
		`"values":[["1795168800123456789","{\"title\":\"Shell in <web-1> \\\"ü\\\"\"}",` +
		`{"alert_key":"0123456789abcdef0123456789abcdef:logs:7","kind":"opened"}]]}]}`
	same, err := lokitest.Decode(lokitest.JSON, []byte(inJSON))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(same, theirs); diff != "" {
		t.Errorf("JSON and protobuf differ (-JSON +protobuf):\n%s", diff)
	}
}

func pairs(ls push.LabelsAdapter) string {
	var b strings.Builder
	for _, l := range ls {
		fmt.Fprintf(&b, "%s=%s\n", l.Name, l.Value)
	}
	return b.String()
}

func lokiView() incident.View {
	v := testView()
	v.Sources = []string{"falco", "kubernetes-audit"}
	v.Attack.Techniques = []string{"T1059", "T1609"}
	v.Entities = []incident.Entity{
		{Type: "host", Name: "node-1"}, {Type: "ip", Name: "192.0.2.7"}, {Type: "namespace", Name: "shop"},
		{Type: "pod", Name: "shop/web-1"}, {Type: "pod", Name: "shop/web-2"}, {Type: "user", Name: "ana"}, {Type: "other", Name: "x"},
	}
	v.Detections = []incident.DetectionView{{ID: "d1"}, {ID: "d2"}}
	return v
}

func TestEntryOfADetection(t *testing.T) {
	t.Parallel()
	r, err := NewRouter(Config{Receivers: []Receiver{{Name: "logs", Type: Loki, URL: "http://loki:3100", Detections: true}}}, "")
	if err != nil {
		t.Fatal(err)
	}
	as, err := r.Alerts(lokiView(), incident.Grown, "d2")
	if err != nil || len(as) != 1 {
		t.Fatalf("%d alerts, %v", len(as), err)
	}
	a := as[0]
	said, err := readAlert(a.Body)
	if err != nil {
		t.Fatal(err)
	}
	labels := Labels{Cluster: "prod"}.of(said)
	if want := `{cluster="prod", service_name="tocsin", severity="high", source="several", stream="detection"}`; labels != want {
		t.Errorf("labels %s, want %s", labels, want)
	}
	id := "0123456789abcdef0123456789abcdef"
	it := Item{Incident: a.Incident, Revision: a.Revision, Receiver: a.Receiver, Detection: a.Detection, Body: a.Body}
	want := "alert_key=" + id + ":logs:7:d2\ndetection_id=d2\nhost=node-1\nincident_id=" + id + "\nkind=detected\nnamespace=shop\n" +
		"pod=shop/web-1,shop/web-2\nrevision=7\nrule_id=shell\nsources=falco,kubernetes-audit\nsrc_ip=192.0.2.7\n" +
		"technique=T1059,T1609\nuser=ana\n"
	if diff := cmp.Diff(want, pairs(metadata(it, said))); diff != "" {
		t.Errorf("metadata (-want +got):\n%s", diff)
	}
}

// Five labels at most, none empty, and each a bounded one.
func TestLabels(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		labels  Labels
		kind    string
		sources []string
		want    string
	}{
		{"defaults", Labels{}, "opened", []string{"falco"}, `{service_name="tocsin", severity="high", source="falco", stream="incident"}`},
		{"no source", Labels{}, "closed", nil, `{service_name="tocsin", severity="high", stream="incident"}`},
		{"all five", Labels{"soc", "eu"}, "detected", []string{"a"}, `{cluster="eu", service_name="soc", severity="high", source="a", stream="detection"}`},
		{"quotes", Labels{Cluster: "a\"b\\\n"}, "opened", nil, `{cluster="a\"b\\\n", service_name="tocsin", severity="high", stream="incident"}`},
		{"long", Labels{Cluster: strings.Repeat("ü", maxLabel)}, "opened", nil, `{cluster="` + strings.Repeat("ü", maxLabel/2) + `", service_name="tocsin", severity="high", stream="incident"}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var a saidAlert
			a.Type, a.Data.Severity, a.Data.Sources = typePrefix+tt.kind+typeSuffix, "high", tt.sources
			got := tt.labels.of(a)
			if got != tt.want {
				t.Errorf("labels %s, want %s", got, tt.want)
			}
			if _, err := lokitest.ParseLabels(got); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestMetadataIsBounded(t *testing.T) {
	t.Parallel()
	var a saidAlert
	for i := range 5000 {
		a.Data.Entities = append(a.Data.Entities, incident.Entity{Type: "user", Name: fmt.Sprintf("user-%d", i)})
	}
	a.Data.Entities = append(a.Data.Entities, incident.Entity{Type: "host", Name: strings.Repeat("ä", maxMetadata)})
	size := 0
	for _, p := range metadata(Item{}, a) {
		size += len(p.Name) + len(p.Value)
		if len(p.Value) > maxMetadata || strings.HasSuffix(p.Value, ",") {
			t.Errorf("%s has %d bytes", p.Name, len(p.Value))
		}
	}
	if size > 20_000 {
		t.Errorf("%d bytes of metadata", size)
	}
}

// The time of an entry is the same at each attempt and never goes back.
func TestStamp(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 20, 10, 0, 0, 0, time.UTC)
	tests := []struct {
		name          string
		id            int64
		created, last time.Time
		want          time.Time
	}{
		{"the number tells items of one instant apart", 7, at, time.Time{}, at.Add(7)},
		{"and adds less than a millisecond", 12_345_678, at, time.Time{}, at.Add(345_678)},
		{"the store's clock was set back", 8, at.Add(-time.Hour), at.Add(7), at.Add(7)},
		{"later is later", 8, at, at.Add(7), at.Add(8)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			l := &loki{last: tt.last}
			if got := l.stamp(Item{ID: tt.id, Created: tt.created}); !got.Equal(tt.want) {
				t.Errorf("stamp = %v, want %v", got, tt.want)
			}
		})
	}
}

func TestLokiConfigErrorsNameTheKey(t *testing.T) {
	t.Parallel()
	loki := func(change func(*Receiver)) Receiver {
		r := Receiver{Name: "logs", Type: Loki, URL: "https://loki.example.org"}
		change(&r)
		return r
	}
	tests := []struct {
		name string
		r    Receiver
		key  string
	}{
		{"the least", loki(func(*Receiver) {}), ""},
		{"all", loki(func(r *Receiver) {
			r.Tenant, r.User, r.Password, r.Labels, r.Detections = "team-a", "ana", "hush", Labels{"soc", "eu"}, true
		}), ""},
		{"a token", loki(func(r *Receiver) { r.Token = "hush" }), ""},
		{"no address", loki(func(r *Receiver) { r.URL = "loki:3100/hush" }), "url"},
		{"an address that is none", loki(func(r *Receiver) { r.URL = "http://ana:hush@[::1" }), "url"},
		{"two tenants", loki(func(r *Receiver) { r.Tenant = "a|b" }), "tenant"},
		{"a tenant of two lines", loki(func(r *Receiver) { r.Tenant = "a\nb" }), "tenant"},
		{"a path as tenant", loki(func(r *Receiver) { r.Tenant = ".." }), "tenant"},
		{"users twice", loki(func(r *Receiver) { r.URL, r.User = "https://ana:hush@loki.example.org", "ben" }), "user"},
		{"a colon in a user", loki(func(r *Receiver) { r.User = "a:b" }), "user"},
		{"a password alone", loki(func(r *Receiver) { r.Password = "hush" }), "password"},
		{"token and user", loki(func(r *Receiver) { r.Token, r.User = "hush", "ana" }), "token"},
		{"token and user of the url", loki(func(r *Receiver) { r.URL, r.Token = "https://ana:hush@loki.example.org", "hush" }), "token"},
		{"a token of two lines", loki(func(r *Receiver) { r.Token = "hush\n" }), "token"},
		{"a long service", loki(func(r *Receiver) { r.Labels.ServiceName = strings.Repeat("a", 2000) }), "labels.service_name"},
		{"a long cluster", loki(func(r *Receiver) { r.Labels.Cluster = strings.Repeat("a", 2000) }), "labels.cluster"},
		{"a signature", loki(func(r *Receiver) { r.Secrets = []string{"hush"} }), "secrets"},
		{"a webhook with a tenant", loki(func(r *Receiver) { r.Type, r.Tenant = Webhook, "a" }), "tenant"},
		{"a webhook with a token", loki(func(r *Receiver) { r.Type, r.Token = Webhook, "hush" }), "token"},
		{"a webhook with a password", loki(func(r *Receiver) { r.Type, r.Password = Webhook, "hush" }), "password"},
		{"a webhook with labels", loki(func(r *Receiver) { r.Type, r.Labels.Cluster = Webhook, "eu" }), "labels"},
		{"a printer with detections", Receiver{Name: "logs", Type: Stdout, Detections: true}, "detections"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			err := Config{Receivers: []Receiver{tt.r}}.Validate()
			if tt.key == "" {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			wrong, ok := errors.AsType[*ConfigError](err)
			if !ok || wrong.Key != "receivers[0]."+tt.key || strings.Contains(err.Error(), "hush") {
				t.Errorf("Validate = %v, want a mistake in %s and no secret", err, tt.key)
			}
		})
	}
}

// A detection is told to those who want detections, once, beside what became of the incident; others hear what they
// always did.
func TestAlertsOfDetections(t *testing.T) {
	t.Parallel()
	hook := Receiver{Name: "hook", Type: Webhook, URL: "https://hook.example.org"}
	logs := Receiver{Name: "logs", Type: Loki, URL: "https://loki.example.org", Detections: true}
	r, err := NewRouter(Config{Receivers: []Receiver{hook, logs}}, "")
	if err != nil {
		t.Fatal(err)
	}
	plain, err := NewRouter(Config{Receivers: []Receiver{hook}}, "")
	if err != nil {
		t.Fatal(err)
	}
	id := lokiView().ID
	tests := []struct {
		name    string
		changed incident.Change
		fresh   []string
		shadow  bool
		want    []string
	}{
		{"opened with two", incident.Opened, []string{"d1", "d2"}, false, []string{
			"opened " + id + ":hook:7", "opened " + id + ":logs:7", "detected " + id + ":logs:7:d1", "detected " + id + ":logs:7:d2",
		}},
		{"grown by one", incident.Grown, []string{"d2"}, false, []string{"detected " + id + ":logs:7:d2"}},
		{"only grown", incident.Grown, nil, false, nil},
		{"closed", incident.ClosedByPerson, nil, false, []string{"closed " + id + ":hook:7", "closed " + id + ":logs:7"}},
		{"in shadow", incident.Opened, []string{"d1"}, true, nil},
		{"one that the view lacks", incident.Grown, []string{"d3"}, false, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			v := lokiView()
			v.Shadow = tt.shadow
			as, err := r.Alerts(v, tt.changed, tt.fresh...)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			var toHook []Alert
			for _, a := range as {
				key := Item{Incident: a.Incident, Revision: a.Revision, Receiver: a.Receiver, Detection: a.Detection}.Key()
				got = append(got, string(a.Kind)+" "+key)
				var said struct {
					ID   string        `json:"id"`
					Data incident.View `json:"data"`
				}
				if err := json.Unmarshal(a.Body, &said); err != nil || said.ID != key {
					t.Errorf("the id is %q, %v, want %q", said.ID, err, key)
				}
				if a.Detection != "" && (len(said.Data.Detections) != 1 || said.Data.Detections[0].ID != a.Detection) {
					t.Errorf("%s tells of %v", key, said.Data.Detections)
				}
				if a.Receiver == "hook" {
					toHook = append(toHook, a)
				}
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("alerts (-want +got):\n%s", diff)
			}
			alone, err := plain.Alerts(v, tt.changed, tt.fresh...)
			if diff := cmp.Diff(alone, toHook); err != nil || diff != "" {
				t.Errorf("the webhook hears something else: %v\n%s", err, diff)
			}
		})
	}
}
