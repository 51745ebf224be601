// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"encoding/json"
	"regexp"
	"time"

	"github.com/goccy/go-yaml/ast"

	"tocsin/event"
)

// Test is one test of a rule: events, and the detections that they must make.
type Test struct {
	Name   string
	Events []TestEvent
	// Until ends the input, after the start; HasUntil says that the test has one.
	Until    time.Duration
	HasUntil bool
	Expect   []Expect
	Line     int
}

// TestEvent is one event of a test.
type TestEvent struct {
	// At is its time, Arrives its arrival, after the start.
	At, Arrives time.Duration
	// Source names the parser of Record, the source's own object as JSON; "" for canonical Fields.
	Source string
	Record []byte
	Fields map[string]any
	Line   int
}

// Expect is one detection that a test wants; what is nil is not compared.
type Expect struct {
	Key         map[string]any
	Count       *int64
	Severity    *string
	First, Last *time.Duration
	Retracted   *bool
	Line        int
}

var sourceName = regexp.MustCompile(`^[a-z][a-z0-9-]*$`)

func (d *draft) tests(n ast.Node) {
	if n == nil {
		return
	}
	for _, item := range d.list(n, "tests") {
		t := Test{Line: item.GetToken().Position.Line}
		expects := false
		for _, e := range d.entries(item, "a test", testKeys) {
			switch e.key {
			case "name":
				t.Name = d.text(e.value, "name")
				t.Line = e.node.Key.GetToken().Position.Line
			case "until":
				t.Until, t.HasUntil = d.duration(e.value, "until"), true
			case "events":
				for _, v := range d.list(e.value, "events") {
					t.Events = append(t.Events, d.testEvent(v))
				}
			case "expect":
				expects = true
				for _, v := range d.list(e.value, "expect") {
					t.Expect = append(t.Expect, d.expect(v))
				}
			}
		}
		if t.Name == "" {
			d.fail(item, "a test has a name")
		}
		if !expects {
			d.fail(item, "a test says what it expects; nothing is `expect: []`")
		}
		d.rule.Tests = append(d.rule.Tests, t)
	}
}

func (d *draft) testEvent(n ast.Node) TestEvent {
	te := TestEvent{Line: n.GetToken().Position.Line, Fields: make(map[string]any)}
	arrives := false
	for _, e := range d.entries(n, "a test event", nil) {
		switch e.key {
		case "at":
			te.At = d.duration(e.value, "at")
			continue
		case "arrives":
			te.Arrives, arrives = d.duration(e.value, "arrives"), true
			continue
		}
		_, mapping := e.value.(*ast.MappingNode)
		if _, one := e.value.(*ast.MappingValueNode); one {
			mapping = true
		}
		if mapping && sourceName.MatchString(e.key) {
			if te.Source != "" {
				d.fail(e.node.Key, "a test event is of one source; this one has %s and %s", te.Source, e.key)
				continue
			}
			te.Source = e.key
			b, err := json.Marshal(d.any(e.value, e.key, 0))
			if err != nil {
				d.fail(e.value, "%v", err)
			}
			te.Record = b
			continue
		}
		v := d.any(e.value, e.key, 0)
		if err := te.put(e.key, v); err != nil {
			at := e.value
			if _, known := event.Lookup(e.key); !known {
				at = e.node.Key
			}
			d.fail(at, "%v", err)
		}
	}
	if err := te.whole(); err != nil {
		d.fail(n, "%v", err)
	}
	if !arrives {
		te.Arrives = te.At
	}
	return te
}

func (d *draft) expect(n ast.Node) Expect {
	x := Expect{Line: n.GetToken().Position.Line}
	for _, e := range d.entries(n, "an expectation", expectationKeys) {
		switch e.key {
		case "key":
			m, ok := d.any(e.value, "key", 0).(map[string]any)
			if !ok {
				d.fail(e.value, "key is a mapping of names to values")
				continue
			}
			for name := range m {
				if !contains(d.rule.By, name) {
					d.fail(e.value, "%q is not in the rule's key%s", name, meant(name, d.rule.By))
				}
			}
			x.Key = m
		case "count":
			v, _ := d.scalar(e.value, "count")
			c, ok := v.(int64)
			if !ok {
				d.fail(e.value, "count is a whole number")
			}
			x.Count = &c
		case "severity":
			s := d.text(e.value, "severity")
			x.Severity = &s
		case "first":
			t := d.duration(e.value, "first")
			x.First = &t
		case "last":
			t := d.duration(e.value, "last")
			x.Last = &t
		case "retracted":
			b := d.boolean(e.value, "retracted")
			x.Retracted = &b
		}
	}
	return x
}
