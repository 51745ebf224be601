// SPDX-License-Identifier: Apache-2.0

package rules_test

import (
	"fmt"
	"strings"
	"testing"

	"tocsin/event"
	"tocsin/rules"
)

// TestLists: a lookup list is looked up, an exception may use one, and its contents are a part of the Set's hash (E3).
func TestLists(t *testing.T) {
	t.Parallel()
	compile := func(files ...rules.File) (*rules.Set, error) {
		return rules.Compile(append(files, rules.File{Name: "r.yml", Data: []byte(`rule: r
title: t
severity: low
match: listed("bad-users", user.name) or listed("ports", raw.port)
by: [host.name]
except:
  - {when: 'listed("ports", user.id)', reason: r, owner: o, expires: 2030-01-01}
`)}))
	}
	ports := rules.File{Name: "rules.d/lists/ports.csv", Data: []byte("value,why\n22,ssh\n\"3389\",rdp\n")}
	set, err := compile(rules.File{Name: "rules.d/lists/bad-users.txt", Data: []byte("# known\nroot\n\n admin \n")}, ports)
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		user, id, record string
		want             int
	}{
		{"root", "", `{}`, 1}, {"admin", "", `{}`, 1}, {"Root", "", `{}`, 0}, {"# known", "", `{}`, 0}, {"value", "", `{}`, 0},
		{"ana", "", `{"port":22}`, 1}, {"ana", "", `{"port":"3389"}`, 1}, {"ana", "", `{"port":"why"}`, 0}, {"root", "22", `{}`, 0},
	} {
		e := &event.Event{Time: 1_700_000_000_000_000_000}
		if _, err := e.ParseObject([]byte(tc.record)); err != nil {
			t.Fatal(err)
		}
		e.SetText(event.UserName, tc.user)
		e.SetText(event.UserID, tc.id)
		e.SetText(event.HostName, "h")
		var found rules.Result
		set.Match(e, &found)
		if len(found.Matches) != tc.want {
			t.Errorf("%+v: %d matches", tc, len(found.Matches))
		}
	}
	same, err := compile(ports, rules.File{Name: "other/bad-users.txt", Data: []byte("admin\nroot\nroot\n")})
	if err != nil || same.Hash != set.Hash {
		t.Errorf("the same list in another order is another Set: %v", err)
	}
	other, err := compile(ports, rules.File{Name: "bad-users.txt", Data: []byte("root\n")})
	if err != nil || other.Hash == set.Hash {
		t.Errorf("another list is the same Set: %v", err)
	}
	for want, files := range map[string][]rules.File{
		`there is no list "ports" (did you mean "port"?)`: {{Name: "bad-users.txt", Data: []byte("x")}, {Name: "port.txt", Data: []byte("x")}},
		`there is a list "ports" already`:                 {ports, {Name: "ports.txt"}, {Name: "bad-users.txt"}},
		`p.csv:2`:                                         {{Name: "p.csv", Data: []byte("a\n\"b\n")}},
		"a list has at most 1000000 values":               {{Name: "big.txt", Data: []byte(manyLines(1_000_001))}},
	} {
		if _, err := compile(files...); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
}

func manyLines(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintln(&b, i)
	}
	return b.String()
}
