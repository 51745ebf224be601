// SPDX-License-Identifier: Apache-2.0

package incident_test

import (
	"slices"
	"strings"
	"testing"

	"tocsin/incident"
)

func scopeOf(t *testing.T, texts ...string) incident.Scope {
	t.Helper()
	s, err := incident.ParseScope(texts)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestScopeHas(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		scope string
		at    incident.Place
		want  bool
	}{
		{"prod/shop", incident.Place{Cluster: "prod", Namespace: "shop"}, true},
		{"prod/shop", incident.Place{Cluster: "prod", Namespace: "pay"}, false},
		{"prod/shop", incident.Place{Cluster: "test", Namespace: "shop"}, false},
		{"prod/shop", incident.Place{Cluster: "prod"}, false},
		{"prod/*", incident.Place{Cluster: "prod", Namespace: "pay"}, true},
		{"prod/*", incident.Place{Cluster: "prod"}, true},
		{"prod/*", incident.Place{Cluster: "prod2", Namespace: "pay"}, false},
		{"prod/*", incident.Place{Cluster: "prod/shop"}, false},
		{"*/shop", incident.Place{Namespace: "shop"}, true},
		{"*/shop", incident.Place{Cluster: "prod", Namespace: "shop"}, true},
		{"*/*", incident.Place{}, true},
		{"arn:cluster/eu/shop", incident.Place{Cluster: "arn:cluster/eu", Namespace: "shop"}, true},
		{"a/b,prod/shop", incident.Place{Cluster: "prod", Namespace: "shop"}, true},
	} {
		if got := scopeOf(t, strings.Split(tt.scope, ",")...).Has(tt.at); got != tt.want {
			t.Errorf("%s has %+v: %t, want %t", tt.scope, tt.at, got, tt.want)
		}
	}
	if s := scopeOf(t, "prod/shop", "*/*"); s != nil {
		t.Errorf("everything is %v: who sees it would be refused what is about all clusters", s)
	}
	if !incident.Scope(nil).Has(incident.Place{}) || (incident.Scope{}).Has(incident.Place{}) {
		t.Error("no scope is everything, an empty one is nothing")
	}
}

func TestScopeWithin(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		inner, outer string
		want         bool
	}{
		{"prod/shop", "prod/*", true},
		{"prod/shop", "*/shop", true},
		{"prod/*", "prod/*", true},
		{"prod/*", "prod/shop", false},
		{"*/shop", "prod/*", false},
		{"*/*", "prod/*", false},
		{"prod/a,test/a", "prod/*", false},
	} {
		if got := scopeOf(t, strings.Split(tt.inner, ",")...).Within(scopeOf(t, strings.Split(tt.outer, ",")...)); got != tt.want {
			t.Errorf("%s within %s: %t, want %t", tt.inner, tt.outer, got, tt.want)
		}
	}
	if incident.Scope(nil).Within(incident.Scope{}) || !(incident.Scope{}).Within(nil) {
		t.Error("everything is within everything alone")
	}
}

func TestScopesThatAreNone(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "shop", "/shop", "prod/", "prod/te*", "pr*/a", "**/a"} {
		if s, err := incident.ParseScope([]string{text}); err == nil {
			t.Errorf("%q is %v", text, s)
		}
	}
}

func FuzzScope(f *testing.F) {
	f.Add("prod/shop")
	f.Add("a/b/*")
	f.Fuzz(func(t *testing.T, text string) {
		s, err := incident.ParseScope([]string{text})
		if err != nil {
			return
		}
		if s != nil && !slices.Equal(s.Texts(), []string{text}) || s == nil && text != "*/*" || !s.Within(s) {
			t.Errorf("%q is %q", text, s.Texts())
		}
	})
}
