// SPDX-License-Identifier: Apache-2.0

package alert

import (
	"encoding/json"
	"errors"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"tocsin/event"
	"tocsin/incident"
)

const testSecret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

func TestReceivers(t *testing.T) {
	t.Parallel()
	config := Config{
		Receivers: []Receiver{
			{Name: "pager", Type: Webhook, URL: "https://pager.example.org/"},
			{Name: "team", Type: Webhook, URL: "https://team.example.org/"},
			{Name: "all", Type: Stdout},
		},
		Routes: []Route{
			{Severity: "critical", Receiver: "pager", Continue: true},
			{Severity: "high", Rules: []string{"shop-*", "login-?"}, Receiver: "team"},
			{Receiver: "all"},
		},
	}
	tests := []struct {
		name, severity, rule string
		shadow               bool
		want                 []string
	}{
		{"continue goes on", "critical", "other", false, []string{"pager", "all"}},
		{"a match without continue ends it", "critical", "shop-cart", false, []string{"pager", "team"}},
		{"severity is the least", "high", "shop-cart", false, []string{"team"}},
		{"below the severity", "medium", "shop-cart", false, []string{"all"}},
		{"a question mark is one byte", "high", "login-1", false, []string{"team"}},
		{"and not two", "high", "login-12", false, []string{"all"}},
		{"a glob is of the whole id", "high", "a-shop-cart", false, []string{"all"}},
		{"shadow tells nobody", "critical", "shop-cart", true, nil},
	}
	r, err := NewRouter(config, "")
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			v := incident.View{Severity: tt.severity, Rule: incident.RuleView{ID: tt.rule}, Shadow: tt.shadow}
			if diff := cmp.Diff(tt.want, r.Receivers(v)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestDefaultsTellEverybody(t *testing.T) {
	t.Parallel()
	v := incident.View{Severity: "informational", Rule: incident.RuleView{ID: "any"}}
	for _, tt := range []struct {
		name   string
		config Config
		want   []string
	}{
		{"no configuration prints all", Config{}, []string{"stdout"}},
		{"no routes: every receiver", Config{Receivers: []Receiver{{Name: "a", Type: Stdout}, {Name: "b", Type: Stdout}}}, []string{"a", "b"}},
		{"two routes to one receiver are one alert", Config{
			Receivers: []Receiver{{Name: "a", Type: Stdout}},
			Routes:    []Route{{Receiver: "a", Continue: true}, {Receiver: "a"}},
		}, []string{"a"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r, err := NewRouter(tt.config, "")
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, r.Receivers(v)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestConfigErrorsNameTheKey(t *testing.T) {
	t.Parallel()
	hook := func(change func(*Receiver)) Config {
		r := Receiver{Name: "a", Type: Webhook, URL: "https://example.org/hush", Secrets: []string{testSecret}}
		change(&r)
		return Config{Receivers: []Receiver{r}}
	}
	route := func(r Route) Config {
		return Config{Receivers: []Receiver{{Name: "a", Type: Stdout}}, Routes: []Route{{Receiver: "a"}, r}}
	}
	tests := []struct {
		name   string
		config Config
		key    string
	}{
		{"none", hook(func(*Receiver) {}), ""},
		{"a full stop in a name", hook(func(r *Receiver) { r.Name = "a.b" }), "receivers[0].name"},
		{"a colon in a name", hook(func(r *Receiver) { r.Name = "a:b" }), "receivers[0].name"},
		{"no name", hook(func(r *Receiver) { r.Name = "" }), "receivers[0].name"},
		{"unknown type", hook(func(r *Receiver) { r.Type = "pigeon" }), "receivers[0].type"},
		{"no scheme", hook(func(r *Receiver) { r.URL = "example.org/hush" }), "receivers[0].url"},
		{"another scheme", hook(func(r *Receiver) { r.URL = "file:///etc/hush" }), "receivers[0].url"},
		{"no host", hook(func(r *Receiver) { r.URL = "http://:80/hush" }), "receivers[0].url"},
		{"a secret of another form", hook(func(r *Receiver) { r.Secrets = []string{testSecret, "hush"} }), "receivers[0].secrets[1]"},
		{"a secret that is no base64", hook(func(r *Receiver) { r.Secrets = []string{"whsec_hush!"} }), "receivers[0].secrets[0]"},
		{"a short secret", hook(func(r *Receiver) { r.Secrets = []string{"whsec_aHVzaA=="} }), "receivers[0].secrets[0]"},
		{"an address to print to", hook(func(r *Receiver) { r.Type = Stdout }), "receivers[0].url"},
		{"twice", Config{Receivers: []Receiver{{Name: "a", Type: Stdout}, {Name: "a", Type: Stdout}}}, "receivers[1].name"},
		{"never heard", Config{Receivers: []Receiver{{Name: "a", Type: Stdout}, {Name: "b", Type: Stdout}}, Routes: []Route{{Receiver: "a"}}}, "receivers[1].name"},
		{"unknown severity", route(Route{Receiver: "a", Severity: "urgent"}), "routes[1].severity"},
		{"empty glob", route(Route{Receiver: "a", Rules: []string{"x", ""}}), "routes[1].rules[1]"},
		{"unknown receiver", route(Route{Receiver: "b"}), "routes[1].receiver"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			err := tt.config.Validate()
			if tt.key == "" {
				if err != nil {
					t.Fatalf("Validate: %v", err)
				}
				return
			}
			wrong, ok := errors.AsType[*ConfigError](err)
			if !ok || wrong.Key != tt.key {
				t.Fatalf("Validate = %v, want a mistake in %s", err, tt.key)
			}
			if strings.Contains(err.Error(), "hush") {
				t.Errorf("the error tells a secret: %v", err)
			}
		})
	}
}

func TestGlobIsAsRegexp(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		pattern := rapid.StringMatching(`[ab*?.]{0,8}`).Draw(t, "pattern")
		s := rapid.StringMatching(`[ab.]{0,10}`).Draw(t, "s")
		re := regexp.QuoteMeta(pattern)
		re = strings.ReplaceAll(strings.ReplaceAll(re, `\*`, `.*`), `\?`, `.`)
		want := regexp.MustCompile(`^(?:` + re + `)$`).MatchString(s)
		if got := glob(pattern, s); got != want {
			t.Fatalf("glob(%q, %q) = %t, want %t", pattern, s, got, want)
		}
	})
}

func TestKindIsTheMostFinal(t *testing.T) {
	t.Parallel()
	tests := []struct {
		change incident.Change
		want   Kind
	}{
		{0, ""},
		{incident.Grown, ""},
		{incident.Opened, Opened},
		{incident.Opened | incident.Grown, Opened},
		{incident.Opened | incident.ClosedByPerson, Closed},
		{incident.Grown | incident.WasRetracted, Retracted},
		{incident.WasRetracted | incident.WasMerged, Merged},
	}
	for _, tt := range tests {
		if got, ok := KindOf(tt.change); got != tt.want || ok != (tt.want != "") {
			t.Errorf("KindOf(%b) = %q, %t, want %q", tt.change, got, ok, tt.want)
		}
	}
}

func testView() incident.View {
	return incident.View{
		ID: "0123456789abcdef0123456789abcdef", Title: "Shell in <web-1>", Status: incident.New, Severity: "high",
		Rule:      incident.RuleView{ID: "shell", Title: "Shell", Revision: "r1"},
		Key:       map[string]any{"k8s.pod.name": "web-1", "n": int64(9007199254740993)},
		Entities:  []incident.Entity{{Type: "pod", Name: "shop/web-1"}},
		UpdatedAt: event.Stamp(time.Date(2026, 11, 20, 10, 0, 0, 123456789, time.UTC).UnixNano()), Revision: 7,
	}
}

func TestBodyIsACloudEvent(t *testing.T) {
	t.Parallel()
	v := testView()
	for range 30 {
		v.Detections = append(v.Detections, incident.DetectionView{ID: "d", Evidence: make([]incident.EvidenceView, 50)})
	}
	body, err := Body(Message{Kind: Opened, Receiver: "pager", Source: "https://tocsin.example.org", Incident: v})
	if err != nil {
		t.Fatal(err)
	}
	if strings.ContainsAny(string(body), "\n") || !strings.Contains(string(body), "<web-1>") || !strings.Contains(string(body), "9007199254740993") {
		t.Errorf("not one line of exact JSON: %s", body)
	}
	var got map[string]any
	if err := json.Unmarshal(body, &got); err != nil {
		t.Fatal(err)
	}
	data := got["data"].(map[string]any)
	detections := data["detections"].([]any)
	if n, m := len(detections), len(detections[0].(map[string]any)["evidence"].([]any)); n != 20 || m != 20 {
		t.Errorf("%d detections of %d pieces of evidence, want 20 of 20", n, m)
	}
	if len(v.Detections) != 30 || len(v.Detections[0].Evidence) != 50 {
		t.Error("Body changed the view that it was given")
	}
	delete(got, "data")
	want := map[string]any{
		"specversion": "1.0", "id": v.ID + ":pager:7", "source": "https://tocsin.example.org",
		"type": "io.tocsin.incident.opened.v1", "subject": v.ID, "time": "2026-11-20T10:00:00.123456789Z",
		"datacontenttype": "application/json",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestAlertsOfAChange(t *testing.T) {
	t.Parallel()
	r, err := NewRouter(Config{Receivers: []Receiver{{Name: "a", Type: Stdout}, {Name: "b", Type: Stdout}}}, "")
	if err != nil {
		t.Fatal(err)
	}
	v := testView()
	if got, err := r.Alerts(v, incident.Grown); err != nil || len(got) != 0 {
		t.Errorf("growth makes %d alerts, %v", len(got), err)
	}
	got, err := r.Alerts(v, incident.ClosedByPerson)
	if err != nil || len(got) != 2 {
		t.Fatalf("Alerts = %d, %v, want 2", len(got), err)
	}
	for i, name := range []string{"a", "b"} {
		a := got[i]
		if a.Receiver != name || a.Kind != Closed || a.Incident != v.ID || a.Revision != 7 || !strings.Contains(string(a.Body), Key(v.ID, name, 7)) {
			t.Errorf("alert %d is %+v", i, a)
		}
	}
}

// The vector is the one that the Standard Webhooks libraries are tested with.
func TestSignIsStandardWebhooks(t *testing.T) {
	t.Parallel()
	key, err := secretKey(testSecret)
	if err != nil {
		t.Fatal(err)
	}
	got := Sign([][]byte{key}, "msg_p5jXN8AQM9LWM0D4loKWxJek", time.Unix(1614265330, 0), []byte(`{"test": 2432232314}`))
	if want := "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="; got != want {
		t.Errorf("Sign = %q, want %q", got, want)
	}
}

func FuzzSecretKey(f *testing.F) {
	for _, s := range []string{testSecret, "", "whsec_", "whsec_hush!", "whsec_aHVzaA=="} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		key, err := secretKey(s)
		if err == nil && (len(key) < 24 || len(key) > 64) {
			t.Errorf("secretKey(%q) is %d bytes long", s, len(key))
		}
		if err != nil && len(s) > 8 && strings.Contains(err.Error(), s) {
			t.Errorf("the error tells the secret: %v", err)
		}
	})
}

func FuzzRetryAfter(f *testing.F) {
	for _, s := range []string{"", "0", "120", "-1", "1.5", "99999999999999999999", "Fri, 20 Nov 2026 10:00:30 GMT", "soon"} {
		f.Add(s)
	}
	now := time.Date(2026, 11, 20, 10, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, s string) {
		if d := retryAfter(s, now); d < 0 {
			t.Errorf("retryAfter(%q) = %v", s, d)
		}
	})
}

// TestABodyHasATime also when the partition's clock is not set yet.
func TestABodyHasATime(t *testing.T) {
	t.Parallel()
	for _, updated := range []event.Stamp{0, 2e9} {
		b, err := Body(Message{Kind: Opened, Receiver: "a", Incident: incident.View{ID: "i", LastEvent: 1e9, UpdatedAt: updated}})
		want := `"time":"1970-01-01T00:00:0` + map[event.Stamp]string{0: "1", 2e9: "2"}[updated] + `Z"`
		if err != nil || !strings.Contains(string(b), want) {
			t.Errorf("%s, %v, want %s", b, err, want)
		}
	}
}
