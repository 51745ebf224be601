// SPDX-License-Identifier: Apache-2.0

package rules_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"tocsin/event"
	"tocsin/rules"
)

func TestAboutHoldsWhatItIsGiven(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		id, source := rapid.String().Draw(t, "id"), rapid.String().Draw(t, "source")
		fields := rapid.MapOf(rapid.String(), rapid.OneOf(
			rapid.String().AsAny(), rapid.Int64().AsAny(), rapid.Bool().AsAny(),
			rapid.Map(rapid.SliceOf(rapid.String().AsAny()), func(x []any) any { return append([]any{}, x...) }),
		)).Draw(t, "fields")
		a := rules.NewAbout(id, source, fields)
		if a.EventID() != id || a.Source() != source {
			t.Fatalf("%q, %q became %q, %q", id, source, a.EventID(), a.Source())
		}
		if d := cmp.Diff(fields, a.Fields()); d != "" {
			t.Fatalf("fields (-want +got):\n%s", d)
		}
		// What is damaged says nothing, and harms nobody.
		i := rapid.IntRange(0, len(a)).Draw(t, "cut")
		for _, broken := range []rules.About{a[:i], a[i:]} {
			_, _, _ = broken.EventID(), broken.Source(), broken.Fields()
		}
	})
}

// TestMatchPacksFields: a match tells of the fields that its rule, title and entities need, and of no others.
func TestMatchPacksFields(t *testing.T) {
	t.Parallel()
	set, err := rules.Compile([]rules.File{{Name: "a.yml", Data: []byte(
		"rule: r\ntitle: t\nseverity: low\nmatch: exists(raw.x)\nby: source.port\nincident: {title: 'of ${event.action}'}\n")}})
	if err != nil {
		t.Fatal(err)
	}
	e := &event.Event{EventID: "id-1", Source: "vector"}
	e.Set(event.SourcePort, int64(1<<62+1))
	e.Set(event.UserName, "ana")
	e.Set(event.EventAction, "login")
	e.Set(event.Message, "not needed")
	if _, err := e.ParseObject([]byte(`{"x":1}`)); err != nil {
		t.Fatal(err)
	}
	var found rules.Result
	set.Match(e, &found)
	if len(found.Matches) != 1 {
		t.Fatalf("%d matches", len(found.Matches))
	}
	a := found.Matches[0].Event.About
	want := map[string]any{"source.port": int64(1<<62 + 1), "user.name": "ana", "event.action": "login"}
	if d := cmp.Diff(want, a.Fields()); d != "" || a.EventID() != "id-1" || a.Source() != "vector" {
		t.Errorf("%q %q (-want +got):\n%s", a.EventID(), a.Source(), d)
	}
	if b := rules.NewAbout("id-1", "vector", want); a != b {
		t.Errorf("packed twice: %q and %q", a, b)
	}
}
