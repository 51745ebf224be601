// SPDX-License-Identifier: Apache-2.0

package rules_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tocsin/event"
	"tocsin/rules"
)

// TestAPanicCostsItsRule: a rule whose matching panics has no part in an event, whichever place it has among the others, and they see what
// they see without it: in this event, and with the same memory in the next.
func TestAPanicCostsItsRule(t *testing.T) {
	t.Parallel()
	compile := func(ids ...string) *rules.Set {
		var text string
		for _, id := range ids {
			text += fmt.Sprintf("---\nrule: %s\ntitle: t\nseverity: low\nmatch: {a: user.name == \"x\", b: host.name == \"h\", c: 'detection(\"low\")'}\nwhen: a and (b or c)\nwithin: 1m\nby: user.name\n"+
				"except: [{when: raw.ours == true, reason: r, owner: o, expires: \"2099-01-01\"}]\n", id)
		}
		set, err := rules.Compile([]rules.File{{Name: "f.yml", Data: []byte(text + "---\nrule: low\ntitle: t\nseverity: low\nmatch: {a: user.name == \"x\"}\nwhen: a\nby: user.name\n")}})
		if err != nil {
			t.Fatal(err)
		}
		return set
	}
	var events []*event.Event
	for _, text := range []string{`{"host":1}`, `{"host":1,"ours":true}`, `{}`} {
		e := new(event.Event)
		if _, err := e.ParseObject([]byte(text)); err != nil {
			t.Fatal(err)
		}
		e.Set(event.UserName, "x")
		if text != `{}` {
			e.Set(event.HostName, "h")
		}
		events = append(events, e)
	}
	// The rules' versions know nothing of each other, and so what is found is comparable.
	var want, got rules.Result
	without, with := compile("a", "c"), compile("a", "b", "c")
	bad := with.ByID("b")
	bad.GroupBy = []int{-1} // no place of a key
	for _, e := range events {
		without.Match(e, &want)
		with.Match(e, &got)
	}
	if d := cmp.Diff(want.Matches, got.Matches); d != "" {
		t.Errorf("matches (-without the rule +with):\n%s", d)
	}
	excepted := append([]rules.Tally{}, want.Counts...)
	if len(excepted) != 2 {
		t.Fatalf("an event that is excepted counts %v", excepted)
	}
	bugs := 0
	for _, b := range got.Bugs {
		if bugs++; b.Rule != "b" || b.Panic.Value != "runtime error: index out of range [-1]" {
			t.Errorf("a bug of %q: %v", b.Rule, b.Panic)
		}
	}
	if bugs != 3 {
		t.Errorf("%d bugs, want one of each event", bugs)
	}
	if got.Reset(); len(got.Bugs) != 0 {
		t.Error("the bugs of an event are those of the next")
	}
}
