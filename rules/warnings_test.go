// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestWarnings(t *testing.T) {
	t.Parallel()
	set, err := Compile([]File{{Name: "r.yml", Data: []byte(`rule: r
title: t
severity: low
match:
  good: user.name == "ana"
  slow: not (user.name == "ana")
  either: user.name == "ana" or not exists(raw.x)
  never: user.name == "ana" and user.name == "bob"
when: good or slow or either or never
by: [host.name]
within: 1m
`)}})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, w := range set.Warnings() {
		got = append(got, w.Rule.ID+" "+w.Kind+": "+w.Message[:len("the pattern good")])
	}
	want := []string{"r no-witness: the pattern slow", "r no-witness: the pattern eith", "r never-matches: the pattern neve"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
