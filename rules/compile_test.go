// SPDX-License-Identifier: Apache-2.0

package rules_test

import (
	"errors"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"tocsin/event"
	"tocsin/rules"
)

const shell = `
rule: shell-in-violating-pod
title: Shell in a pod that violates a policy
severity: critical
attack: [T1059.004, T1611]
match:
  violation: event.module == "kyverno" and event.action == "violation"
  resolved:  event.module == "kyverno" and event.action == "resolved"
  shell:     event.module == "falco" and rule.name == "Terminal shell in container"
when: sequence(violation, not resolved, shell)
by: [k8s.namespace.name, k8s.pod.name]
within: 30d
except:
  - when: user.name == "deployer"
    reason: the nightly smoke test opens a shell
    owner: platform
    expires: 2027-06-30
tests:
  - name: fires
    events:
      - {at: 0s, event.module: kyverno, event.action: violation, k8s.namespace.name: shop, k8s.pod.name: web-1}
      - at: 90s
        falco: {rule: Terminal shell in container, priority: Notice, output_fields: {k8s.pod.name: web-1, n: 9007199254740993}}
    expect: [{key: {k8s.pod.name: web-1}, count: 2}]
`

func TestCompileReadsTheExampleOfTheDesign(t *testing.T) {
	t.Parallel()
	set, err := rules.Compile([]rules.File{{Name: "shell.yml", Data: []byte(shell)}})
	if err != nil {
		t.Fatal(err)
	}
	r := set.Rules[0]
	if r.ID != "shell-in-violating-pod" || len(r.Patterns) != 3 || len(r.Exceptions) != 1 || len(r.Tests) != 1 {
		t.Fatalf("compiled to %+v", r)
	}
	if got := string(r.Tests[0].Events[1].Record); !strings.Contains(got, "9007199254740993") {
		t.Errorf("the record of a test lost a digit: %s", got)
	}
	if got := strings.Join(r.Tactics, " "); got != "execution privilege-escalation" {
		t.Errorf("tactics %q", got)
	}
}

func one(body string) string {
	return "rule: r\ntitle: t\nseverity: low\n" + body
}

// TestOneMistakeIsOneError: what uses a pattern that is wrong is not wrong, too, and a long line is not shown whole.
func TestOneMistakeIsOneError(t *testing.T) {
	t.Parallel()
	long := "user.name in [" + strings.Repeat(`"é", `, 40_000) + `"x"]`
	for _, pattern := range []string{`usr.name == "a"`, `user.name == 5`, `user.name matches "("`, `(`, `""`, strconv.Quote(long)} {
		_, err := rules.Compile([]rules.File{{Name: "f.yml", Data: []byte(one("match:\n  a: " + pattern + "\n  b: exists(user.name)\nwhen: a and b\nwithin: 1m"))}})
		if err == nil || strings.Count(err.Error(), "f.yml:") != 1 || len(err.Error()) > 600 || !utf8.ValidString(err.Error()) {
			t.Errorf("%.50s: %v", pattern, err)
		}
	}
	for _, times := range []string{"within: 5 minutes", "within: 0s", "within: 1m\nlearn: 5 minutes", "within: 1m\nlearn: 0s"} {
		when := "\nwhen: count(a) > 1\n"
		if strings.Contains(times, "learn") {
			when = "\nwhen: first_seen(a, user.name)\n"
		}
		_, err := rules.Compile([]rules.File{{Name: "f.yml", Data: []byte(one("match: {a: exists(user.name)}" + when + times))}})
		if err == nil || strings.Count(err.Error(), "f.yml:") != 1 {
			t.Errorf("%s: %v", times, err)
		}
	}
}

// TestErrorsNameLineAndWhatWasMeant has one mistake each.
func TestErrorsNameLineAndWhatWasMeant(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, file, want string }{
		{"unknown key", one("match: user.name == \"a\"\nwhithin: 5m\n"), `f.yml:5: rule "r": unknown key "whithin" in a rule (did you mean "within"?)`},
		{"missing key", "rule: r\nmatch: user.name == \"a\"\nseverity: low\n", `f.yml:1: rule "r": the key "title" is missing`},
		{"a text without quotes", one(`match: event.action == login_failed`), `unknown field "login_failed" (a text is written "login_failed"); the source's own fields are raw.…`},
		{"unknown field", one(`match: usr.name == "a"`), `f.yml:4: rule "r": pattern match: unknown field "usr.name" (did you mean "user.name"?); the source's own fields are raw.…`},
		{"wrong type", one(`match: user.name == 5`), "user.name is of type string and never equals 5"},
		{"array compared", one(`match: tags == "x"`), "tags is an array: write has(tags, …)"},
		{"not binds tighter", one(`match: not user.name == "a"`), "write `not (x == y)`"},
		{"tag", one(`match: !exists(user.name)`), "YAML reads a leading `!` as a tag"},
		{"empty", one(`match: ""`), "the pattern match is empty"},
		{"closure", one(`match: any(tags, # == "x")`), "any"},
		{"ternary", one("match: |\n  user.name == \"a\" ? true : false"), "is not of the pattern language"},
		{"nil", one(`match: user.name == nil`), "write exists(x) or not exists(x)"},
		{"regexp", one(`match: user.name matches "("`), "RE2"},
		{"bare field", one(`match: user.name`), "user.name is a field, not a condition"},
		{"unknown function", one(`match: icontain(user.name, "x")`), `unknown function "icontain" (did you mean "icontains"?)`},
		{"no list", one(`match: listed("bad", user.name)`), `there is no list "bad"`},
		{"a list of a constant", one(`match: listed("bad", "x")`), "listed looks up a field"},
		{"a list without a name", one(`match: listed(user.name, user.name)`), "argument 1 of listed is a constant string"},
		{"unknown pattern", one("match: {failed: user.name == \"a\"}\nwhen: count(faild) >= 5\nwithin: 5m"), `there is no pattern "faild" in match (did you mean "failed"?)`},
		{"within missing", one("match: {a: user.name == \"a\"}\nwhen: count(a) >= 5"), "within is missing"},
		{"when missing", one("match: {a: user.name == \"a\", b: user.name == \"b\"}"), "with several patterns `when` says how they combine"},
		{"always", one("match: {a: user.name == \"a\"}\nwhen: count(a) >= 0\nwithin: 5m"), "always holds"},
		{"only nots", one("match: {a: user.name == \"a\"}\nwhen: sequence(not a)\nwithin: 5m"), "at least one step"},
		{"not of a guarded sequence", one("match: {a: user.name == \"a\", b: user.name == \"b\"}\nwhen: a and not sequence(a, not b, a)\nwithin: 5m"), "has no meaning here"},
		{"pattern name", one("match: {user: user.name == \"a\"}"), `"user" cannot name a pattern`},
		{"duration", one("match: {a: user.name == \"a\"}\nwhen: count(a) >= 5\nwithin: 5 minutes"), "is no duration"},
		{"group_by", one("match: user.name == \"a\"\nby: [user.name]\nincident: {group_by: [user.nam]}"), `group_by: "user.nam" is not in by (did you mean "user.name"?)`},
		{"severity", "rule: r\ntitle: t\nseverity: hgih\nmatch: user.name == \"a\"", `unknown severity "hgih" (did you mean "high"?)`},
		{"attack", one("match: user.name == \"a\"\nattack: [T99]"), "no ATT&CK technique"},
		{"exception", one("match: user.name == \"a\"\nexcept: [{when: user.name == \"b\", reason: x, expires: 2030-01-01}]"), "an exception needs owner"},
		{"twice", one("match: user.name == \"a\"") + "\n---\n" + one("match: user.name == \"b\""), `there is a rule "r" already, at f.yml:1`},
		{"detection of none", one("match: {a: detection(\"q\")}\nwhen: a"), `there is no such rule`},
		{"circle", one("match: {a: detection(\"r\")}\nwhen: a"), "goes round in a circle: r → r"},
		{"hyphen", one(`match: raw.a-b == "x"`), "a-b"},
		{"sigma", "title: x\ndetection: {sel: {a: b}}\n", "the detection has no condition"},
		{"template", one("match: user.name == \"a\"\nincident: {title: \"of ${user.nmae}\"}"), `unknown field "user.nmae" (did you mean "user.name"?)`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := rules.Compile([]rules.File{{Name: "f.yml", Data: []byte(tt.file)}})
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("got %v\nwant %s", err, tt.want)
			}
			if e, ok := errors.AsType[*rules.Error](err); !ok || e.Line == 0 {
				t.Errorf("no line in %v", err)
			}
		})
	}
}

// TestPatterns holds P1-P4 and each operator and function.
func TestPatterns(t *testing.T) {
	t.Parallel()
	e := &event.Event{}
	if _, err := e.ParseObject([]byte(`{"n":9007199254740993,"f":1.5,"s":"10","b":true,"null":null,
		"list":["x",2],"deep":{"cs-uri":"/a","xs":["p","q"]}}`)); err != nil {
		t.Fatal(err)
	}
	e.Set(event.UserName, "Ana")
	e.Set(event.SourceIP, "::ffff:10.1.2.3")
	e.Set(event.SourcePort, int64(443))
	e.Set(event.Tags, []any{"k8s", "mitre"})
	tests := []struct {
		expr string
		want bool
	}{
		{`user.name == "Ana"`, true},
		{`user.name != "Ana"`, false},
		{`host.name == "x"`, false},
		{`host.name != "x"`, true}, // P1
		{`not (host.name < "x")`, true},
		{`host.name < "x" or host.name >= "x"`, false},
		{`raw.n == 9007199254740993`, true}, // P3
		{`raw.n == 9007199254740992`, false},
		{`raw.n > 9007199254740992.0`, true},
		{`raw.s > 5`, false}, // P2
		{`number(raw.s) > 5`, true},
		{`raw.s == 10`, false},
		{`raw.f == 1.5`, true},
		{`raw.b == true`, true},
		{`raw.b == "true"`, false},
		{`exists(raw.null)`, false},
		{`exists(raw.s)`, true},
		{`raw.deep["cs-uri"] == "/a"`, true},
		{`raw.deep.xs[1] == "q"`, true},
		{`raw.deep.xs[9] == "q"`, false},
		{`raw.s.t.u == "q"`, false},
		{`source.ip == "10.1.2.3"`, true},
		{`cidr(source.ip, "192.168.0.0/16", "10.0.0.0/8")`, true},
		{`cidr(user.name, "10.0.0.0/8")`, false},
		{`source.port in [80, 443]`, true},
		{`source.port >= 443 and source.port < 444`, true},
		{`user.name in ["Ana", "Bo"]`, true},
		{`"k8s" in tags`, true},
		{`has(tags, "mitre")`, true},
		{`has(raw.list, 2)`, true},
		{`user.name contains "na" and user.name startsWith "A" and user.name endsWith "a"`, true},
		{`user.name matches "^A.a$"`, true},
		{`ieq(user.name, "ANA") and icontains(user.name, "AN") and istartsWith(user.name, "an") and iendsWith(user.name, "NA")`, true},
		{`glob(user.name, "A?a")`, true},
		{`glob(user.name, "A*") and not glob(user.name, "A")`, true},
		{`user.name == "Ana" && !exists(host.name)`, true},
		{`raw.n == -1`, false},
	}
	for _, tt := range tests {
		set, err := rules.Compile([]rules.File{{Name: "f", Data: []byte(one("by: []\nmatch: |\n  " + tt.expr))}})
		if err != nil {
			t.Errorf("%s: %v", tt.expr, err)
			continue
		}
		var out rules.Result
		set.Match(e, &out)
		if got := len(out.Matches) == 1; got != tt.want {
			t.Errorf("%s is %t, want %t", tt.expr, got, tt.want)
		}
	}
}

func compileOne(t *testing.T, body string) *rules.Set {
	t.Helper()
	set, err := rules.Compile([]rules.File{{Name: "f", Data: []byte(one(body))}})
	if err != nil {
		t.Fatal(err)
	}
	return set
}

// TestKeys holds K1-K4, hopping keys, the entity key and exceptions.
func TestKeys(t *testing.T) {
	t.Parallel()
	ana := func() *event.Event {
		e := &event.Event{Time: 1_700_000_000_000_000_000}
		if _, err := e.ParseObject([]byte(`{"xs":["p","q","p"],"empty":"","none":null,"n":1,"m":"1"}`)); err != nil {
			t.Fatal(err)
		}
		e.Set(event.UserName, "ana")
		e.Set(event.SourceUserName, "eve")
		return e
	}
	tests := []struct {
		name, body string
		want       []rules.Key
		unkeyed    int64
		excepted   int64
	}{
		{"one field", "match: user.name == \"ana\"\nby: [user.name]", []rules.Key{rules.MakeKey("ana")}, 0, 0},
		{"missing field", "match: user.name == \"ana\"\nby: [host.name]", nil, 1, 0},
		{"null is missing", "match: user.name == \"ana\"\nby: [raw.none]", nil, 1, 0},
		{"empty is a value", "match: user.name == \"ana\"\nby: [raw.empty]", []rules.Key{rules.MakeKey("")}, 0, 0},
		{"one per element", "match: user.name == \"ana\"\nby: [raw.xs]", []rules.Key{rules.MakeKey("p"), rules.MakeKey("q")}, 0, 0},
		{"typed", "match: user.name == \"ana\"\nby: {a: raw.n, b: raw.m}", []rules.Key{rules.MakeKey(int64(1), "1")}, 0, 0},
		{"hop", "match: {a: user.name == \"ana\", b: exists(user.name)}\nwhen: a and b\nwithin: 1m\nby: {who: {a: user.name, b: source.user.name}}", []rules.Key{rules.MakeKey("ana"), rules.MakeKey("eve")}, 0, 0},
		{"entity", "match: user.name == \"ana\"", []rules.Key{rules.MakeKey(nil, nil, nil, "ana", nil)}, 0, 0},
		{"no key at all", "match: user.name == \"ana\"\nby: []", []rules.Key{""}, 0, 0},
		{"excepted", "match: user.name == \"ana\"\nby: []\nexcept: [{when: exists(user.name), reason: r, owner: o, expires: \"2023-11-14\"}]", nil, 0, 1},
		{"exception is over", "match: user.name == \"ana\"\nby: []\nexcept: [{when: exists(user.name), reason: r, owner: o, expires: \"2023-11-13\"}]", []rules.Key{""}, 0, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var out rules.Result
			compileOne(t, tt.body).Match(ana(), &out)
			if len(out.Matches) != len(tt.want) {
				t.Fatalf("%d matches, want %d", len(out.Matches), len(tt.want))
			}
			for i, k := range tt.want {
				if out.Matches[i].Key != k {
					t.Errorf("key %v, want %v", out.Matches[i].Key.Values(), k.Values())
				}
			}
			var unkeyed, excepted int64
			for _, c := range out.Counts {
				unkeyed, excepted = unkeyed+c.Unkeyed, excepted+c.Excepted
			}
			if unkeyed != tt.unkeyed || excepted != tt.excepted {
				t.Errorf("unkeyed %d, excepted %d", unkeyed, excepted)
			}
		})
	}
}

func TestRevisionIsOverMeaning(t *testing.T) {
	t.Parallel()
	base := "match: {a: user.name == \"ana\"}\nwhen: count(a) >= 5\nwithin: 5m\n"
	rev := compileOne(t, base).Rules[0].Revision
	same := []string{
		"match: {a: 'user.name==\"ana\"'}\nwhen: count( a )>=5\nwithin: 300s\n",
		base + "description: other words\nrunbook: there\n# a comment\n",
	}
	for _, s := range same {
		if got := compileOne(t, s).Rules[0].Revision; got != rev {
			t.Errorf("another revision for\n%s", s)
		}
	}
	other := []string{
		strings.Replace(base, ">= 5", ">= 6", 1), strings.Replace(base, "5m", "6m", 1),
		strings.Replace(base, "ana", "bo", 1), base + "by: [user.name]\n", base + "incident: {quiet: 1h}\n",
	}
	for _, s := range other {
		if got := compileOne(t, s).Rules[0].Revision; got == rev {
			t.Errorf("the same revision for\n%s", s)
		}
	}
}

func FuzzCompile(f *testing.F) {
	f.Add(shell)
	f.Add(one("match: {a: detection(\"r\")}\nwhen: a"))
	f.Add("a: [&x {y: *x}]\n---\n!t")
	f.Add("{}")
	f.Add("title: a\nname: n\nlogsource: {product: windows, category: process_creation}\ndetection: {s: {Image|endswith: x}, condition: s}\n---\n" +
		"title: c\ncorrelation: {type: event_count, rules: [n], group-by: [User], timespan: 1m, condition: {gte: 2}}")
	f.Add("logsources: [{product: x, when: {a: b}}]\n---\ntitle: f\nfilter: {rules: any, s: {a: b}, condition: not s}")
	f.Fuzz(func(t *testing.T, file string) {
		set, err := rules.Compile([]rules.File{{Name: "f", Data: []byte(file)}})
		if err != nil {
			return
		}
		e := &event.Event{}
		if _, err := e.ParseObject([]byte(`{"a":[null,1.5]}`)); err != nil {
			t.Fatal(err)
		}
		e.Set(event.UserName, "x")
		var out rules.Result
		set.Match(e, &out)
	})
}

func BenchmarkMatchNothing(b *testing.B) {
	var files []rules.File
	for i := range 20 {
		files = append(files, rules.File{Name: "f", Data: []byte(strings.Replace(one("match: {a: event.module == \"falco\" and rule.name == \"x\", b: user.name == \"root\"}\nwhen: sequence(a, b)\nwithin: 5m"), "rule: r", "rule: r"+string(rune('a'+i)), 1))})
	}
	set, err := rules.Compile(files)
	if err != nil {
		b.Fatal(err)
	}
	e := &event.Event{}
	e.Set(event.UserName, "ana")
	e.Set(event.EventModule, "vector")
	var out rules.Result
	b.ReportAllocs()
	for b.Loop() {
		out.Reset()
		set.Match(e, &out)
	}
}
