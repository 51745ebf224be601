// SPDX-License-Identifier: Apache-2.0

package rules_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tocsin/rules"
)

// TestReadTestEvent: what JSON says is what the same YAML says, and what is wrong is told.
func TestReadTestEvent(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]rules.TestEvent{
		`{"at":"90s","user.name":"ana","source.port":22}`:         {At: 90 * time.Second, Arrives: 90 * time.Second, Fields: map[string]any{"user.name": "ana", "source.port": int64(22)}},
		`{"arrives":"1m","falco":{"n":9007199254740993}}`:         {Arrives: time.Minute, Source: "falco", Record: []byte(`{"n":9007199254740993}`)},
		`{"user.roles":["a","b"],"raw":{}, "user.name":"\u00fc"}`: {},
	} {
		got, err := rules.ReadTestEvent([]byte(text))
		if want.Source == "" && want.Fields == nil {
			if err == nil {
				t.Errorf("%s is read: %+v", text, got)
			}
			continue
		}
		if d := cmp.Diff(want, got); err != nil || d != "" {
			t.Errorf("%s: %v %s", text, err, d)
		}
		set, err := rules.Compile([]rules.File{{Name: "r.yml", Data: []byte("rule: r\ntitle: R\nseverity: low\nmatch: exists(user.name)\ntests: [{name: t, events: [" + text + "], expect: []}]\n")}})
		if err != nil {
			t.Fatal(err)
		}
		if got = set.Rules[0].Tests[0].Events[0]; got.Line == 0 {
			t.Error("it has no line")
		}
		got.Line = 0
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("as YAML %s: %s", text, d)
		}
	}
	for text, want := range map[string]string{
		`[]`: "object", `{`: "object", `null`: "object", `{} {}`: "follows",
		`{"at":"soon"}`:                  `at: "soon" is no duration`,
		`{"arrives":-1}`:                 "arrives",
		`{"usr.name":"ana"}`:             `did you mean "user.name"?`,
		`{"source.port":"x"}`:            "source.port is of type",
		`{"falco":{},"vault":{}}`:        "one source",
		`{"falco":{},"user.name":"ana"}`: "cannot stand beside it",
	} {
		if _, err := rules.ReadTestEvent([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", text, err)
		}
	}
}
