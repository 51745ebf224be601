// SPDX-License-Identifier: Apache-2.0

package rules_test

import (
	"errors"
	"strings"
	"testing"

	"tocsin/event"
	"tocsin/rules"
)

func TestWhere(t *testing.T) {
	t.Parallel()
	e := &event.Event{}
	e.Set(event.UserName, "ana")
	for src, want := range map[string]bool{
		`user.name == "ana"`: true, `user.name == "bob"`: false, `not exists(host.name) and user.name startsWith "a"`: true, `true`: true,
	} {
		w, err := rules.CompileWhere(src)
		if err != nil {
			t.Fatalf("%s: %v", src, err)
		}
		if w.Holds(e) != want {
			t.Errorf("%s is %t", src, !want)
		}
	}
}

// TestWhereErrorsSayWhere: the line, the column, and what was meant.
func TestWhereErrorsSayWhere(t *testing.T) {
	t.Parallel()
	for src, want := range map[string]struct {
		line, column int
		says         string
	}{
		``:                                      {1, 1, "empty"},
		`usr.name == "ana"`:                     {1, 1, `did you mean "user.name"?`},
		`exists(user.name) and usr.name == "a"`: {1, 23, `did you mean "user.name"?`},
		"exists(user.name) and\n  é.x == 1":     {2, 3, `unknown field "é.x"`},
		`user.name == `:                         {1, 13, "unexpected token"},
		`user.name = "ana"`:                     {1, 11, "equal is =="},
		`user.name`:                             {1, 1, "compare it"},
		`exsts(user.name)`:                      {1, 1, `did you mean "exists"?`},
		`exists(user.name) and user.name > raw.a and user.name matches "("`: {1, 55, "RE2"},
		`count(user.name) > 1`:     {1, 1, "is no value"},
		`listed("bad", user.name)`: {1, 1, "rule files"},
	} {
		_, err := rules.CompileWhere(src)
		w, ok := errors.AsType[*rules.WhereError](err)
		if !ok || !strings.Contains(err.Error(), want.says) {
			t.Errorf("%s: %v, want what says %s", src, err, want.says)
			continue
		}
		if w.Line != want.line || w.Column != want.column {
			t.Errorf("%s: at %d:%d, want %d:%d: %v", src, w.Line, w.Column, want.line, want.column, err)
		}
	}
}

func FuzzWhere(f *testing.F) {
	for _, src := range []string{`user.name == "ana"`, "exists(user.name) and\n  é.x == 1", `usr.name`, `user.name matches "("`, "\x00", `cidr(source.ip, "10.0.0.0/8")`} {
		f.Add(src)
	}
	f.Fuzz(func(t *testing.T, src string) {
		w, err := rules.CompileWhere(src)
		if err == nil {
			e := &event.Event{}
			e.Set(event.UserName, "ana")
			w.Holds(e)
			return
		}
		at, ok := errors.AsType[*rules.WhereError](err)
		if !ok || at.Line < 1 || at.Line > strings.Count(src, "\n")+1 || at.Column < 1 || at.Column > len(src)+1 {
			t.Errorf("%q: %v is no place in it", src, err)
		}
	})
}
