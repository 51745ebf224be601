// SPDX-License-Identifier: Apache-2.0

package sigma_test

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"

	"tocsin/event"
	"tocsin/rules/pred"
	"tocsin/rules/sigma"
)

// compile reads a rule of one detection block.
func compile(t testing.TB, detection string) (pred.Node, error) {
	t.Helper()
	f, err := parser.ParseBytes([]byte("title: x\nlogsource: {product: none}\ndetection:\n"+detection), 0)
	if err != nil {
		t.Fatalf("%s: %v", detection, err)
	}
	config, err := sigma.Default()
	if err != nil {
		t.Fatal(err)
	}
	r, err := sigma.ReadRule(f.Docs[0].Body.(*ast.MappingNode), config)
	if err != nil {
		return nil, err
	}
	return r.Condition(), nil
}

func object(t testing.TB, record string) *event.Event {
	t.Helper()
	e := &event.Event{}
	if _, err := e.ParseObject([]byte(record)); err != nil {
		t.Fatalf("%s: %v", record, err)
	}
	return e
}

// TestSelections: what a selection says, statement by statement of the specification (2.1.0, and its appendix on
// modifiers). Each is written as the selection, records that it fits and records that it does not.
func TestSelections(t *testing.T) {
	t.Parallel()
	wide := func(s string) string {
		var b strings.Builder
		for _, c := range s {
			fmt.Fprintf(&b, "%c\x00", c)
		}
		return b.String()
	}
	for _, tc := range []struct {
		name, selection string
		yes, no         []string
	}{
		{"values fold case", `{a: FooBar}`, []string{`{"a":"foobar"}`, `{"a":"FOOBAR"}`}, []string{`{"a":"foobarx"}`, `{"b":"foobar"}`, `{"a":null}`}},
		{"a map is an and", `{a: x, b: y}`, []string{`{"a":"x","b":"y"}`}, []string{`{"a":"x"}`, `{"a":"x","b":"z"}`}},
		{"a list of maps is an or", `[{a: x}, {b: y}]`, []string{`{"a":"x"}`, `{"b":"y"}`}, []string{`{"a":"y"}`}},
		{"a list of values is an or", `{a: [x, y]}`, []string{`{"a":"x"}`, `{"a":"y"}`}, []string{`{"a":"z"}`}},
		{"all makes it an and", `{a|contains|all: [x, y]}`, []string{`{"a":"1x2y3"}`}, []string{`{"a":"x"}`}},
		{"keywords stand anywhere, in any case", `[foo, bar]`, []string{`{"m":"a FOO b"}`, `{"n":{"l":["x","bar"]}}`}, []string{`{"foo":"x"}`, `{"m":"fo o"}`}},
		{"all of the keywords", `{'|all': [foo, bar]}`, []string{`{"m":"foo bar"}`, `{"m":"foo","n":"bar"}`}, []string{`{"m":"foo"}`}},
		{"numbers are their text", `{a: 4625}`, []string{`{"a":4625}`, `{"a":"4625"}`}, []string{`{"a":46250}`}},
		{"truth values are their text", `{a: true}`, []string{`{"a":true}`, `{"a":"True"}`}, []string{`{"a":false}`}},
		{"null is missing or null", `{a: null}`, []string{`{}`, `{"a":null}`}, []string{`{"a":""}`, `{"a":0}`}},
		{"null among values", `{a: [null, x]}`, []string{`{}`, `{"a":"x"}`}, []string{`{"a":"y"}`}},
		{"the empty value", `{a: ''}`, []string{`{"a":""}`}, []string{`{}`, `{"a":"x"}`}},
		{"a star is any run", `{a: 'x*y'}`, []string{`{"a":"xy"}`, `{"a":"x..y"}`}, []string{`{"a":"xyz"}`}},
		{"a question mark is one", `{a: 'x?y'}`, []string{`{"a":"x.y"}`, `{"a":"xéy"}`}, []string{`{"a":"xy"}`, `{"a":"x..y"}`}},
		{"a star alone is anything", `{a: '*'}`, []string{`{"a":""}`, `{"a":5}`}, []string{`{}`}},
		{"an escaped star is a star", `{a: 'x\*y'}`, []string{`{"a":"x*y"}`}, []string{`{"a":"xzy"}`}},
		{"a backslash before a star is one, and a wildcard", `{a: 'x\\*'}`, []string{`{"a":"x\\y"}`, `{"a":"x\\"}`}, []string{`{"a":"x*"}`}},
		{"three before a star are one, and a star", `{a: 'x\\\*'}`, []string{`{"a":"x\\*"}`}, []string{`{"a":"x\\y"}`}},
		{"a single backslash is one", `{a: 'C:\Windows'}`, []string{`{"a":"c:\\windows"}`}, []string{`{"a":"c:windows"}`}},
		{"two are one", `{a: 'x\\y'}`, []string{`{"a":"x\\y"}`}, []string{`{"a":"x\\\\y"}`}},
		{"three are two", `{a: 'x\\\y'}`, []string{`{"a":"x\\\\y"}`}, []string{`{"a":"x\\y"}`}},
		{"four are two", `{a: 'x\\\\y'}`, []string{`{"a":"x\\\\y"}`}, []string{`{"a":"x\\y"}`}},
		{"an array has one that fits", `{a: x}`, []string{`{"a":["y","X"]}`}, []string{`{"a":["y"]}`}},
		{"spaces are stripped of field names", `{Event ID: 1}`, []string{`{"EventID":1}`}, []string{`{"Event ID":2}`}},
		{"a dotted field is flat or nested", `{a.b: x}`, []string{`{"a.b":"x"}`, `{"a":{"b":"x"}}`}, []string{`{"a":"x"}`}},
		{"and are kept of them", `{Event ID: 1}`, []string{`{"Event ID":1}`}, []string{`{"Event":1}`}},
		{"a dotted field is a key with dots in an object", `{a.b.c: x}`, []string{`{"a":{"b.c":"x"}}`}, []string{`{"a.b":{"d":"x"}}`}},
		{"a number in hexadecimal is that number, or that text", `{a: 0x1F}`, []string{`{"a":31}`, `{"a":"0x1f"}`}, []string{`{"a":"1F"}`}},
		{"a float is a number", `{a: 2.50}`, []string{`{"a":2.5}`, `{"a":"2.50"}`}, []string{`{"a":2.51}`}},
		{"a comparison with a number in hexadecimal", `{a|gt: 0x10}`, []string{`{"a":17}`}, []string{`{"a":16}`}},
		{"a keyword with a star at its end stands anywhere", `['foo*']`, []string{`{"m":"a foo b"}`}, []string{`{"m":"fo"}`}},
		{"a keyword with a star in it stands anywhere", `['f*o']`, []string{`{"m":"a fxxo b"}`}, []string{`{"m":"of"}`}},
		{"a keyword that begins a text", `{'|startswith': foo}`, []string{`{"m":"foo b"}`}, []string{`{"m":"a foo"}`}},
		{"contains", `{a|contains: oo}`, []string{`{"a":"fOOd"}`}, []string{`{"a":"fod"}`}},
		{"startswith", `{a|startswith: fo}`, []string{`{"a":"FOOD"}`}, []string{`{"a":"afo"}`}},
		{"endswith", `{a|endswith: '\cmd.exe'}`, []string{`{"a":"C:\\CMD.EXE"}`}, []string{`{"a":"cmd.exe"}`}},
		{"contains with a wildcard in it", `{a|contains: 'x?z'}`, []string{`{"a":"..xyz.."}`}, []string{`{"a":"xz"}`}},
		{"cased", `{a|cased: Foo}`, []string{`{"a":"Foo"}`}, []string{`{"a":"foo"}`}},
		{"contains, cased", `{a|contains|cased: Foo}`, []string{`{"a":"xFoo"}`}, []string{`{"a":"xfoo"}`}},
		{"exists", `{a|exists: true}`, []string{`{"a":""}`, `{"a":null}`}, []string{`{}`}},
		{"does not exist", `{a|exists: false}`, []string{`{}`}, []string{`{"a":null}`}},
		{"neq", `{a|neq: x}`, []string{`{"a":"y"}`, `{}`}, []string{`{"a":"X"}`}},
		{"re is cased and finds", `{a|re: 'o+d$'}`, []string{`{"a":"food"}`}, []string{`{"a":"FOOD"}`, `{"a":"foods"}`}},
		{"re with i", `{a|re|i: 'o+d$'}`, []string{`{"a":"FOOD"}`}, []string{`{"a":"foods"}`}},
		{"re with m", `{a|re|m: '^b$'}`, []string{`{"a":"a\nb\nc"}`}, []string{`{"a":"ab"}`}},
		{"re with s", `{a|re|s: 'a.b'}`, []string{`{"a":"a\nb"}`}, []string{`{"a":"ab"}`}},
		{"re without s", `{a|re: 'a.b'}`, []string{`{"a":"a-b"}`}, []string{`{"a":"a\nb"}`}},
		{"lt, lte, gt, gte", `{a|lt: 5, b|lte: 5, c|gt: 5, d|gte: 5.5}`, []string{`{"a":4,"b":5,"c":"6","d":5.5}`}, []string{`{"a":5,"b":5,"c":6,"d":6}`, `{"a":4,"b":6,"c":6,"d":6}`, `{"a":4,"b":5,"c":5,"d":6}`, `{"a":"x","b":5,"c":6,"d":6}`}},
		{"cidr", `{a|cidr: [10.0.0.0/8, 'fe80::/10']}`, []string{`{"a":"10.1.2.3"}`, `{"a":"fe80::1"}`}, []string{`{"a":"11.0.0.1"}`, `{"a":"x"}`}},
		{"windash", `{a|windash|contains: ' -f '}`, []string{`{"a":"x -f y"}`, `{"a":"x /f y"}`, `{"a":"x –f y"}`, `{"a":"x —f y"}`, `{"a":"x ―f y"}`}, []string{`{"a":"x f y"}`}},
		{"all of windash: one form of each", `{a|windash|contains|all: [' -a', ' -b']}`, []string{`{"a":"x /a -b"}`, `{"a":"x -a –b"}`}, []string{`{"a":"x /a -a"}`, `{"a":"x -b"}`}},
		{"all of base64offset: one form of each", `{a|base64offset|contains|all: [foobar, barfoo]}`, []string{
			`{"a":"` + base64.StdEncoding.EncodeToString([]byte("1foobar12barfoo!")) + `"}`,
		}, []string{`{"a":"` + base64.StdEncoding.EncodeToString([]byte("1foobar!")) + `"}`}},
		{"windash leaves other signs", `{a|windash: 'a-b'}`, []string{`{"a":"a-b"}`}, []string{`{"a":"a/b"}`}},
		{"base64", `{a|base64|contains: foobar}`, []string{`{"a":"x Zm9vYmFy y"}`}, []string{`{"a":"zm9vymfy"}`, `{"a":"foobar"}`}},
		{"base64offset", `{a|base64offset|contains: foobar}`, []string{
			`{"a":"` + base64.StdEncoding.EncodeToString([]byte("foobar!")) + `"}`,
			`{"a":"` + base64.StdEncoding.EncodeToString([]byte("1foobar!")) + `"}`,
			`{"a":"` + base64.StdEncoding.EncodeToString([]byte("12foobar!")) + `"}`,
		}, []string{`{"a":"Zm9v"}`}},
		{"wide and base64offset", `{a|wide|base64offset|contains: ping}`, []string{
			`{"a":"` + base64.StdEncoding.EncodeToString([]byte("x"+wide("ping "))) + `"}`,
		}, []string{`{"a":"` + base64.StdEncoding.EncodeToString([]byte("ping ping")) + `"}`}},
		{"utf16le is wide", `{a|utf16le|base64|contains: ping}`, []string{`{"a":"` + base64.StdEncoding.EncodeToString([]byte(wide("ping"))) + `"}`}, []string{`{"a":"cGluZw=="}`}},
		{"utf16be", `{a|utf16be|base64|contains: ab}`, []string{`{"a":"` + base64.StdEncoding.EncodeToString([]byte("\x00a\x00b")) + `"}`}, []string{`{"a":"YQBiAA=="}`}},
		{"utf16 has a mark of its order", `{a|utf16|base64|contains: ab}`, []string{`{"a":"` + base64.StdEncoding.EncodeToString([]byte("\xff\xfea\x00b\x00")) + `"}`}, []string{`{"a":"YQBiAA=="}`}},
		{"fieldref", `{a|fieldref: b}`, []string{`{"a":"X","b":"x"}`}, []string{`{"a":"x","b":"y"}`, `{}`}},
		{"fieldref, at the end", `{a|endswith|fieldref: b}`, []string{`{"a":"foobar","b":"BAR"}`}, []string{`{"a":"foobar","b":"foo"}`}},
		{"expand", `{a|expand: '%Workstations%'}`, []string{`{"a":"WS-7"}`}, []string{`{"a":"%Workstations%"}`}},
		{"expand twice in one value", `{a|expand: '%Workstations%%internal_domains%'}`, []string{`{"a":"WS-7.lan"}`, `{"a":"wks.corp"}`}, []string{`{"a":"WS-7.com"}`}},
		{"all of expand: one value of each", `{a|contains|expand|all: ['%Workstations%', '%internal_domains%']}`, []string{`{"a":"x WS-7.lan"}`}, []string{`{"a":"x WS-7"}`}},
		{"expand in a regular expression is a text", `{a|re|expand: '^a%internal_domains%$'}`, []string{`{"a":"a.lan"}`}, []string{`{"a":"axlan"}`}},
		{"without expand it is a text", `{a: '%Workstations%'}`, []string{`{"a":"%workstations%"}`}, []string{`{"a":"WS-7"}`}},
		{"parts of a time", `{t|hour: 23, t|month: [3, 4], t|year|gte: 2026, t|minute|lt: 31, t|day: 2, t|week: 10}`, []string{`{"t":"2026-03-02T23:30:00Z"}`}, []string{`{"t":"2026-03-02T22:30:00Z"}`, `{"t":"2025-03-02T23:30:00Z"}`, `{"t":"x"}`}},
		{"a time in the form of Sysmon", `{t|hour: 2, t|minute: 3, t|day: 2}`, []string{`{"t":"2024-01-02 02:03:05.678"}`, `{"t":"2024-01-02T02:03:05"}`, `{"t":"2024-01-02 04:03:05+02:00"}`}, []string{`{"t":"2024-01-02 03:03:05.678"}`, `{"t":"2024-01-02"}`}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			n, err := compile(t, "  sel: "+tc.selection+"\n  condition: sel")
			if err != nil {
				t.Fatal(err)
			}
			run := pred.Compile([]pred.Node{n}).NewRun()
			for _, records := range []struct {
				of   []string
				want bool
			}{{tc.yes, true}, {tc.no, false}} {
				for _, record := range records.of {
					e := object(t, record)
					if got := pred.Eval(n, e); got != records.want {
						t.Errorf("%s of %s: %t", tc.selection, record, got)
					}
					if got := len(run.Match(e)) > 0; got != records.want {
						t.Errorf("%s of %s: the index says %t", tc.selection, record, got)
					}
				}
			}
		})
	}
}

// TestConditions: precedence, of, and lists.
func TestConditions(t *testing.T) {
	t.Parallel()
	const block = "  a1: {a: 1}\n  a2: {b: 1}\n  _hidden: {c: 1}\n  other: {d: 1}\n  condition: "
	for condition, tc := range map[string]struct{ yes, no string }{
		"a1 or a2 and other":       {`{"a":1}`, `{"b":1}`},
		"(a1 or a2) and other":     {`{"a":1,"d":1}`, `{"a":1}`},
		"not a1 and a2":            {`{"b":1}`, `{"a":1,"b":1}`},
		"not (a1 and a2)":          {`{"a":1}`, `{"a":1,"b":1}`},
		"1 of a*":                  {`{"b":1}`, `{"d":1}`},
		"all of a*":                {`{"a":1,"b":1}`, `{"a":1}`},
		"1 of them":                {`{"d":1}`, `{"c":1}`},
		"all of them":              {`{"a":1,"b":1,"d":1}`, `{"a":1,"b":1,"c":1}`},
		"other and not 1 of a*":    {`{"d":1}`, `{"d":1,"a":1}`},
		"[a1, other]":              {`{"d":1}`, `{"b":1}`},
		"NOT a1 AND (a2 OR other)": {`{"d":1}`, `{"a":1,"d":1}`},
		"_hidden":                  {`{"c":1}`, `{"a":1}`},
		"1 of *":                   {`{"d":1}`, `{"c":1}`},
		"1 of _*":                  {`{"c":1}`, `{"d":1}`},
	} {
		n, err := compile(t, block+condition)
		if err != nil {
			t.Errorf("%s: %v", condition, err)
			continue
		}
		if !pred.Eval(n, object(t, tc.yes)) || pred.Eval(n, object(t, tc.no)) {
			t.Errorf("%s: %t of %s, %t of %s", condition, pred.Eval(n, object(t, tc.yes)), tc.yes, pred.Eval(n, object(t, tc.no)), tc.no)
		}
	}
}

// TestLogsources: which events are of a log source, and where their fields stand, in the forms that sources have. Each
// rule asks for one field of the event.
func TestLogsources(t *testing.T) {
	t.Parallel()
	config, err := sigma.NewConfig(map[string][]byte{"own.yml": []byte(`logsources:
  - {product: windows, service: security, when: {Channel: MySecurity}}
  - {product: door, category: access, service: badge, when: {kind: badge}, fields: {Who: [owner]}}
  - {product: gate, category: access, when: {kind: gate}, fields: {Who: [driver]}}
`)})
	if err != nil {
		t.Fatal(err)
	}
	const (
		security = "product: windows, category: process_creation"
		falco    = `{"event.module":"falco","output_fields":{"evt.type":"execve","proc.exepath":"/bin/x","proc.cmdline":"x -y"}}`
	)
	for _, tc := range []struct {
		logsource, selection, event string
		want                        bool
	}{
		{security, `Image: x`, `{"Channel":"Security","EventID":4688,"NewProcessName":"x"}`, true},
		{security, `Image: x`, `{"winlog":{"channel":"Security","event_id":"4688","event_data":{"NewProcessName":"x"}}}`, true},
		{security, `Image: x`, `{"log_name":"Security","event_id":4688,"event_data":{"NewProcessName":"x"}}`, true},
		{security, `Image: x`, `{"Event":{"System":{"Channel":"Security","EventID":4688},"EventData":{"NewProcessName":"x"}}}`, true},
		{security, `Image: x`, `{"Channel":"Security","EventID":4689,"NewProcessName":"x"}`, false},
		{"product: windows, service: system", `Channel: Application`, `{"winlog":{"channel":"System","event_id":104,"event_data":{"Channel":"Application"}}}`, true},
		{"product: azure, service: activitylogs", `operationName: x`, `{"operationName":{"value":"X","localizedValue":"y"}}`, true},
		{"product: azure, service: activitylogs", `operationName: x`, `{"operationName":"X"}`, true},
		{"product: kubernetes, category: application", `verb: get`, `{"apiVersion":"audit.k8s.io/v1","verb":"get"}`, true},
		{"product: kubernetes, category: application", `verb: get`, `{"message":"x","verb":"get"}`, false},
		{security, `User|contains: '\a'`, `{"winlog":{"channel":"Microsoft-Windows-Sysmon/Operational","event_id":1,"event_data":{"User":"D\\ana"}},"user.name":"SYSTEM"}`, true},
		{security + ", service: sysmon", `Image: x`, `{"Channel":"Microsoft-Windows-Sysmon/Operational","EventID":1,"Image":"x"}`, true},
		{security + ", service: sysmon", `Image: x`, `{"Channel":"Microsoft-Windows-Sysmon/Operational","EventID":7,"Image":"x"}`, false},
		{security + ", service: sysmon", `Image: x`, `{"Channel":"Security","EventID":4688,"Image":"x"}`, false},
		{"product: windows, service: security", `a: x`, `{"Channel":"MySecurity","a":"x"}`, true},
		{"product: windows, service: security", `a: x`, `{"Channel":"Security","a":"x"}`, false},
		{"product: linux, category: process_creation", `Image: /bin/x`, falco, true},
		{"product: linux, category: process_creation", `CommandLine|endswith: '-y'`, falco, true},
		{"product: linux, category: process_creation", `Image: x`, `{"Channel":"Linux-Sysmon/Operational","EventID":1,"Image":"x"}`, true},
		{"product: linux, category: process_creation", `Image: x`, `{"log_name":"Security","event_id":4688,"Image":"x"}`, false},
		{"category: process_creation", `Image: /bin/x`, falco, true},
		{"category: process_creation", `Image: x`, `{"Channel":"Security","EventID":4688,"NewProcessName":"x"}`, true},
		{"category: process_creation", `Image: x`, `{"Channel":"Microsoft-Windows-Sysmon/Operational","EventID":7,"Image":"x"}`, false},
		{"product: cisco, service: aaa", `message|contains: dir`, `{"message":"dir flash:"}`, true},
		{"product: cisco, service: aaa", `message|contains: dir`, `{"message":"a dir","log_name":"Security"}`, false},
		{"category: access", `Who: ana`, `{"kind":"badge","owner":"ana"}`, true},
		{"category: access", `Who: ana`, `{"kind":"gate","driver":"ana"}`, true},
		{"category: access", `Who: ana`, `{"kind":"lift","owner":"ana"}`, false},
		{"category: access, product: door", `Who: ana`, `{"kind":"gate","owner":"ana"}`, false},
		{"category: nobody_knows", `Who: ana`, `{"Who":"ana"}`, true},
	} {
		file, err := parse("title: x\nlogsource: {" + tc.logsource + "}\ndetection:\n  s: {" + tc.selection + "}\n  condition: s")
		if err != nil {
			t.Fatal(err)
		}
		r, err := sigma.ReadRule(file.Docs[0].Body.(*ast.MappingNode), config)
		if err != nil {
			t.Errorf("%s: %v", tc.logsource, err)
			continue
		}
		e := object(t, tc.event)
		e.SetText(event.EventModule, e.Object().Get("event.module").Text())
		e.SetText(event.UserName, e.Object().Get("user.name").Text())
		if got := pred.Eval(r.Condition(), e); got != tc.want {
			t.Errorf("{%s} {%s} of %s: %t", tc.logsource, tc.selection, tc.event, got)
		}
		if known := tc.logsource != "category: nobody_knows"; r.Known != known {
			t.Errorf("{%s} is known: %t", tc.logsource, r.Known)
		}
	}
}

// FuzzRule: whatever a file says there is a rule or an error, and a rule finds the same with the index and without.
func FuzzRule(f *testing.F) {
	for _, s := range []string{
		"  sel: {a|contains: [x, 'y*'], b: null}\n  condition: sel", "  s1: [foo, {a|re: 'x+'}]\n  s2: {'|all': [a, b]}\n  condition: 1 of s* and not s2",
		"  s: {a|windash|base64offset|contains: ' -f', b|cidr: 10.0.0.0/8, c|fieldref: d, e|hour: 5}\n  condition: all of them", "  s: &a {b: *a}\n  condition: s", "x",
	} {
		f.Add(s, `{"a":"xyz","b":"10.1.1.1","m":"foo"}`)
	}
	config, err := sigma.Default()
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, detection, record string) {
		file, err := parse("title: x\nlogsource: {product: none}\ndetection:\n" + detection)
		if err != nil || len(file.Docs) == 0 {
			return
		}
		doc, ok := file.Docs[0].Body.(*ast.MappingNode)
		if !ok || len(doc.Values) == 0 {
			return
		}
		r, err := sigma.ReadRule(doc, config)
		if err != nil {
			return
		}
		e := &event.Event{}
		if _, err := e.ParseObject([]byte(record)); err != nil {
			return
		}
		run := pred.Compile([]pred.Node{r.Condition()}).NewRun()
		if want, got := pred.Eval(r.Condition(), e), len(run.Match(e)) > 0; want != got {
			t.Errorf("%s of %s: %t with the index, %t without", detection, record, got, want)
		}
	})
}

// parse is the parser of YAML, which panics at some of what is none.
func parse(s string) (f *ast.File, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%v", r)
		}
	}()
	return parser.ParseBytes([]byte(s), 0)
}
