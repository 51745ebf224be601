// SPDX-License-Identifier: Apache-2.0

package rules_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tocsin/event"
	"tocsin/rules"
)

// FuzzMatch: whatever the expressions and the event are, the index finds what evaluating every pattern finds
// (detection.md, "Speed").
func FuzzMatch(f *testing.F) {
	for _, expr := range []string{
		`event.action == "a" and raw.x != 1`, `icontains(message, "Ab") or not exists(raw.y)`, `user.name in ["a", "b"] and raw.n > 1.5`,
		`has(raw.list, "a") or any(raw.list, # startsWith "b")`, `glob(raw.x, "*a?b*") and cidr(source.ip, "10.0.0.0/8")`,
		`raw["a.b"].c matches "^a+$" or number(raw.n) >= 3`, `not (raw.x endsWith "a" and istartsWith(raw.x, "B")) or raw.a == raw.b`,
	} {
		f.Add(expr, `exists(raw.x)`, `{"x":"AaBb","n":"3","list":["a","b"],"a.b":{"c":"aa"},"y":null,"a":1,"b":1.0}`)
	}
	// For a regular expression s is also ſ, and σ is ς; for what folds case they are not.
	for _, record := range []string{`{"x":"\u017fy\u017ftem"}`, `{"x":"SYSTEM"}`, `{"x":"\u212aelvin"}`, `{"x":"\u03c3\u03af\u03c3\u03c5\u03c6\u03bf\u03c2"}`} {
		f.Add(`raw.x matches "(?i)system|kelvin"`, `icontains(raw.x, "system") or ieq(raw.x, "KELVIN")`, record)
		f.Add(`raw.x matches "(?i)\u03a3\u038a\u03a3\u03a5\u03a6\u039f\u03a3"`, `iendsWith(raw.x, "\u03a3")`, record)
	}
	f.Fuzz(func(t *testing.T, one, other, record string) {
		set, err := rules.Compile([]rules.File{{Name: "f.yml", Data: fmt.Appendf(nil,
			"rule: r\ntitle: r\nseverity: low\nmatch:\n  a: %q\n  b: %q\nwhen: a or b\nby: event.action\nwithin: 1m\n", one, other)}})
		if err != nil {
			return
		}
		e := &event.Event{Source: "vector"}
		if _, err := e.ParseObject([]byte(record)); err != nil {
			return
		}
		e.Set(event.EventAction, "a")
		e.Set(event.Message, "abAB")
		e.Set(event.SourceIP, "10.1.2.3")
		var on rules.Result
		off := rules.Result{Unindexed: true}
		set.Match(e, &on)
		set.Match(e, &off)
		if d := cmp.Diff(off.Matches, on.Matches); d != "" {
			t.Errorf("%s, %s of %s (-without the index +with):\n%s", one, other, record, d)
		}
	})
}
