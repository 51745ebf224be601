// SPDX-License-Identifier: Apache-2.0

package auth

import (
	"context"
	"encoding/json"
	"testing"
	"time"
)

func TestClaim(t *testing.T) {
	t.Parallel()
	var claims map[string]any
	err := json.Unmarshal([]byte(`{"a":1,"b":{"c":{"d":2},"c.d":3},"https://x.y/roles":4,"e.f":{"g":5},"n":null}`), &claims)
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]any{
		"a": 1.0, "b.c.d": 3.0, "https://x.y/roles": 4.0, "e.f.g": 5.0, "a.b": nil, "b.x": nil, "": nil, ".": nil, "n": nil, "n.x": nil,
	} {
		if got, _ := claim(claims, path); got != want {
			t.Errorf("%s = %v, want %v", path, got, want)
		}
	}
}

func TestGrants(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		right, permission string
		want              bool
	}{
		{"incidents:read", "incidents:read", true},
		{"incidents:read", "incidents:write", false},
		{"incidents:*", "incidents:write", true},
		{"incidents:*", "incidentsx:write", false},
		{"*:read", "alerts:read", true},
		{"*:read", "alerts:write", false},
		{"*:*", "alerts:write", true},
		{"*:*", "nonsense", false},
		{"incidents:read", "incidents:*", false},
		{"*:read", "*:*", false},
		{"", "alerts:read", false},
	} {
		if got := grants([]string{tt.right}, tt.permission); got != tt.want {
			t.Errorf("%q grants %q: %t", tt.right, tt.permission, got)
		}
	}
	analyst := Principal{Roles: []string{Analyst}}
	if analyst.MayGrant(Admin) || analyst.MayGrant(Engineer) || !analyst.MayGrant(Viewer) || !analyst.MayGrant(Analyst) {
		t.Error("an analyst may give away what an analyst has, and no more")
	}
}

// The cache and the table of buckets hold so much and no more.
func TestBounds(t *testing.T) {
	t.Parallel()
	now := func() time.Time { return time.Unix(1, 0) }
	c := newCache(now)
	l := NewLimiter("address", 1, now)
	for i := range 3 * maxBuckets {
		name := string(rune('a'+i%26)) + time.Duration(i).String()
		if _, err := c.get(t.Context(), []byte(name), nobody{}.Token); err == nil {
			t.Fatal("there is somebody")
		}
		c.mayTouch(Token{ID: name}, time.Minute)
		l.bucket(name)
	}
	if len(c.found) > maxCached || len(c.touched) > maxCached || len(l.young)+len(l.old) > maxBuckets {
		t.Errorf("%d, %d, %d", len(c.found), len(c.touched), len(l.young)+len(l.old))
	}
	// Who asks all the time is not forgotten for those who ask once.
	if busy := l.bucket("busy"); busy == nil || l.bucket("busy") != busy {
		t.Error("a bucket is not kept")
	}
}

func FuzzSecret(f *testing.F) {
	good, _ := NewSecret()
	f.Add(good)
	f.Add("tocsin_")
	f.Fuzz(func(t *testing.T, s string) {
		if wellFormed(s) && (len(s) != len(good) || HashOf(s) == nil) {
			t.Errorf("%q is well formed", s)
		}
	})
}

func TestSecretsDiffer(t *testing.T) {
	t.Parallel()
	a, hash := NewSecret()
	b, _ := NewSecret()
	if a == b || !wellFormed(a) || !wellFormed(b) || len(hash) != 32 {
		t.Errorf("%s %s %x", a, b, hash)
	}
}

// nobody has no token.
type nobody struct{}

func (nobody) Token(context.Context, []byte) (Token, error) { return Token{}, ErrNotFound }
