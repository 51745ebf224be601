// SPDX-License-Identifier: Apache-2.0

package alert

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tocsin/incident"
)

func treeConfig(root Tree) Config {
	return Config{
		Receivers: []Receiver{{Name: "a", Type: Stdout}, {Name: "b", Type: Stdout}, {Name: "c", Type: Stdout}}, Route: root,
		MuteTimeIntervals: []MuteTimes{{Name: "nights", TimeIntervals: []TimeInterval{{Times: []TimeRange{{"00:00", "06:00"}}}}}},
	}
}

func TestTheWayThroughATree(t *testing.T) {
	t.Parallel()
	root := Tree{
		Receiver: "a", GroupWait: 30 * time.Second,
		Routes: []Tree{
			{Matchers: []string{`severity=~"high|critical"`}, Receiver: "b", Continue: true, RepeatInterval: 4 * time.Hour},
			{Matchers: []string{`namespace="shop"`}, GroupWait: time.Minute, Routes: []Tree{
				{Matchers: []string{`rule=x`}, Receiver: "c", MuteTimeIntervals: []string{"nights"}},
			}},
		},
	}
	r, err := NewRouter(treeConfig(root), "")
	if err != nil {
		t.Fatal(err)
	}
	atRoot := Way{Receiver: "a", Path: "route", Wait: 30 * time.Second}
	high := Way{Receiver: "b", Path: "route.routes[0]", Wait: 30 * time.Second, Repeat: 4 * time.Hour}
	for _, tt := range []struct {
		name   string
		labels LabelSet
		want   []Way
	}{
		{"nothing fits: the root", LabelSet{"severity": {"low"}}, []Way{atRoot}},
		{"on from one that continues", LabelSet{"severity": {"high"}, "namespace": {"shop"}}, []Way{high, {Receiver: "a", Path: "route.routes[1]", Wait: time.Minute}}},
		{"one that continues, and no other", LabelSet{"severity": {"critical"}}, []Way{high}},
		{"any of several values", LabelSet{"namespace": {"pay", "shop"}, "rule": {"x"}}, []Way{
			{Receiver: "c", Path: "route.routes[1].routes[0]", Wait: time.Minute, Mutes: []string{"nights"}},
		}},
	} {
		if diff := cmp.Diff(tt.want, r.Along(tt.labels)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
	as, err := r.Alerts(incident.View{ID: "i", Severity: "high"}, incident.Opened)
	if err != nil || len(as) != 1 || as[0].Wait != 30*time.Second || !as[0].Terms.Anew || as[0].Terms.Repeat != 4*time.Hour {
		t.Errorf("%+v, %v", as, err)
	}
	if as, err = r.Alerts(incident.View{ID: "i", Severity: "high"}, incident.ClosedByPerson); err != nil || as[0].Wait != 0 || as[0].Terms.Anew {
		t.Errorf("a closing waits: %+v, %v", as, err)
	}
}

func TestTreeErrorsNameTheKey(t *testing.T) {
	t.Parallel()
	below := func(x Tree) Config {
		return treeConfig(Tree{Receiver: "a", Routes: []Tree{{Receiver: "b"}, {Receiver: "c", Routes: []Tree{x}}}})
	}
	both := treeConfig(Tree{Receiver: "a"})
	both.Routes = []Route{{Receiver: "a"}}
	deep := Tree{Receiver: "a"}
	for range 20 {
		deep = Tree{Receiver: "a", Routes: []Tree{deep}}
	}
	times := func(x TimeInterval) Config {
		c := below(Tree{})
		c.MuteTimeIntervals = []MuteTimes{{Name: "n", TimeIntervals: []TimeInterval{x}}}
		return c
	}
	inhibit := func(x InhibitRule) Config {
		c := below(Tree{})
		c.InhibitRules = []InhibitRule{x}
		return c
	}
	const at = "route.routes[1].routes[0]"
	for _, tt := range []struct {
		name   string
		config Config
		key    string
		said   string
	}{
		{"in order", below(Tree{Matchers: []string{`rule="x"`}, MuteTimeIntervals: []string{"nights"}, GroupBy: []string{"..."}}), "", ""},
		{"both kinds of routes", both, "route", "not both"},
		{"no receiver", treeConfig(Tree{Routes: []Tree{{Receiver: "a"}}}), "route.receiver", ""},
		{"a root with matchers", treeConfig(Tree{Receiver: "a", Matchers: []string{"rule=x"}}), "route.matchers", ""},
		{"a root that continues", treeConfig(Tree{Receiver: "a", Continue: true}), "route.continue", ""},
		{"too deep", treeConfig(deep), "route" + strings.Repeat(".routes[0]", 17), "16"},
		{"no matcher", below(Tree{Matchers: []string{"rule"}}), at + ".matchers", "write name="},
		{"a label that there is not", below(Tree{Matchers: []string{"rul=x"}}), at + ".matchers", `no label "rul"`},
		{"groups of several", below(Tree{GroupBy: []string{"rule"}}), at + ".group_by", "a group already"},
		{"group_interval", below(Tree{GroupInterval: time.Minute}), at + ".group_interval", "repeat_interval"},
		{"a long wait", below(Tree{GroupWait: 2 * time.Hour}), at + ".group_wait", "between"},
		{"a short repetition", below(Tree{RepeatInterval: time.Second}), at + ".repeat_interval", "between"},
		{"unknown receiver", below(Tree{Receiver: "d"}), at + ".receiver", `"d"`},
		{"unknown times", below(Tree{MuteTimeIntervals: []string{"days"}}), at + ".mute_time_intervals[0]", `"days"`},
		{"no interval", func() Config { c := below(Tree{}); c.MuteTimeIntervals = []MuteTimes{{Name: "n"}}; return c }(), "mute_time_intervals[0].time_intervals", ""},
		{"times without a name", func() Config { c := below(Tree{}); c.MuteTimeIntervals = []MuteTimes{{}}; return c }(), "mute_time_intervals[0].name", ""},
		{"a time that is none", times(TimeInterval{Times: []TimeRange{{"6:00", "07:00"}}}), "mute_time_intervals[0].time_intervals[0].times[0].start_time", ""},
		{"a night over midnight", times(TimeInterval{Times: []TimeRange{{"22:00", "06:00"}}}), "mute_time_intervals[0].time_intervals[0].times[0]", "two times"},
		{"a weekday that is none", times(TimeInterval{Weekdays: []string{"moonday"}}), "mute_time_intervals[0].time_intervals[0].weekdays[0]", "moonday"},
		{"a weekday as a number", times(TimeInterval{Weekdays: []string{"1"}}), "mute_time_intervals[0].time_intervals[0].weekdays[0]", "sunday"},
		{"a weekend that ends before it begins", times(TimeInterval{Weekdays: []string{"saturday:sunday"}}), "mute_time_intervals[0].time_intervals[0].weekdays[0]", "before"},
		{"a day that is none", times(TimeInterval{DaysOfMonth: []string{"0"}}), "mute_time_intervals[0].time_intervals[0].days_of_month[0]", ""},
		{"months that run back", times(TimeInterval{Months: []string{"may:march"}}), "mute_time_intervals[0].time_intervals[0].months[0]", "before"},
		{"a place that is none", times(TimeInterval{Location: "Berlin"}), "mute_time_intervals[0].time_intervals[0].location", "Europe/Berlin"},
		{"inhibition by nothing", inhibit(InhibitRule{TargetMatchers: []string{"rule=x"}}), "inhibit_rules[0].source_matchers", ""},
		{"inhibition of nothing", inhibit(InhibitRule{SourceMatchers: []string{"rule=x"}}), "inhibit_rules[0].target_matchers", ""},
		{"inhibition by a wrong matcher", inhibit(InhibitRule{SourceMatchers: []string{"x"}, TargetMatchers: []string{"rule=x"}}), "inhibit_rules[0].source_matchers", ""},
		{"a label that there is not is equal", inhibit(InhibitRule{SourceMatchers: []string{"rule=y"}, TargetMatchers: []string{"rule=x"}, Equal: []string{"node"}}), "inhibit_rules[0].equal[0]", ""},
	} {
		err := tt.config.Validate()
		if tt.key == "" {
			if err != nil {
				t.Errorf("%s: %v", tt.name, err)
			}
			continue
		}
		wrong, ok := errors.AsType[*ConfigError](err)
		if !ok || wrong.Key != tt.key || !strings.Contains(err.Error(), tt.said) {
			t.Errorf("%s: %v, want a mistake in %s that says %q", tt.name, err, tt.key, tt.said)
		}
	}
}

func TestMatchersAreAlertmanagers(t *testing.T) {
	t.Parallel()
	labels := LabelSet{"rule": {"a b"}, "user": {"ana", "ben"}, "severity": {"high"}}
	for text, want := range map[string]bool{
		`rule="a b"`: true, `rule!="a b"`: false, `severity=high`: true, ` severity = "high" `: true, `severity=~"h.*"`: true, `severity=~ig`: false,
		`severity!~"low|medium"`: true, `user=ben`: true, `user!=ben`: false, `user!=cat`: true, `user=~"a.*"`: true, `user!~"a.*"`: false,
		`pod=""`: true, `pod!=""`: false, `pod=~".+"`: false, `pod!~".+"`: true, `pod=`: true, `user=~"ana|"`: true, `rule=~"a.b"`: true, "rule=~\"a\\nb\"": false,
	} {
		m, err := ParseMatcher(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if got := m.Matches(labels); got != want {
			t.Errorf("%s = %t", text, got)
		}
		again, err := ParseMatcher(m.String())
		if err != nil || again.Matches(labels) != want || again.String() != m.String() {
			t.Errorf("%s is written %s: %v", text, m, err)
		}
	}
	for _, text := range []string{
		"", "rule", `="x"`, "rule!x", `rule=="x"`, `Rule=x`, `rule=a b`, `rule=a,b`, `rule={a}`, `rule="a`, `rule="a"b`, `rule=~"("`, `rule="` + strings.Repeat("x", 2000) + `"`,
	} {
		if m, err := ParseMatcher(text); err == nil {
			t.Errorf("%s is taken as %s", text, m)
		}
	}
	if _, err := ParseMatchers(slices.Repeat([]string{"rule=x"}, 33)); err == nil {
		t.Error("33 matchers are taken")
	}
}

func FuzzParseMatcher(f *testing.F) {
	for _, s := range []string{`rule="a"`, `severity=~high|low`, `user!~"\x00"`, `pod != "a/b"`, "=", "rule=~\"(?i)x\""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		m, err := ParseMatcher(text)
		if err != nil {
			return
		}
		again, err := ParseMatcher(m.String())
		if err != nil && len(m.String()) <= maxMatcher || err == nil && (again.Name != m.Name || again.Op != m.Op || again.Value != m.Value) {
			t.Errorf("%q is written %q and read as %+v, %v", text, m, again, err)
		}
		if m.Matches(LabelSet{m.Name: {m.Value}}) == (m.Op == "!=") && m.re == nil {
			t.Errorf("%q of its own value", text)
		}
	})
}

func TestMuteTimes(t *testing.T) {
	t.Parallel()
	read := func(x ...TimeInterval) []interval {
		t.Helper()
		ins, err := MuteTimes{Name: "n", TimeIntervals: x}.read("x")
		if err != nil {
			t.Fatal(err)
		}
		return ins
	}
	night := []TimeRange{{"22:00", "24:00"}, {"00:00", "06:00"}}
	for _, tt := range []struct {
		name string
		in   []interval
		at   string
		want time.Duration
	}{
		{"the evening, to the end of the night", read(TimeInterval{Times: night}), "2026-11-20T23:30:00Z", 6*time.Hour + 30*time.Minute},
		{"the end is not in it", read(TimeInterval{Times: night}), "2026-11-20T06:00:00Z", 0},
		{"the start is", read(TimeInterval{Times: night}), "2026-11-20T22:00:00Z", 8 * time.Hour},
		{"somewhere else", read(TimeInterval{Times: night, Location: "Europe/Berlin"}), "2026-11-20T21:00:00Z", 8 * time.Hour},
		{"a Friday", read(TimeInterval{Weekdays: []string{"monday:thursday"}}), "2026-11-20T21:00:00Z", 0},
		{"a Friday, by name", read(TimeInterval{Weekdays: []string{"Friday"}}), "2026-11-20T21:00:00Z", 3 * time.Hour},
		{"the last day of the month", read(TimeInterval{DaysOfMonth: []string{"-1"}}), "2026-11-30T21:00:00Z", 3 * time.Hour},
		{"not the last", read(TimeInterval{DaysOfMonth: []string{"-1"}}), "2026-11-29T21:00:00Z", 0},
		{"from a day to the last", read(TimeInterval{DaysOfMonth: []string{"25:-1"}}), "2026-02-28T23:59:30Z", 30 * time.Second},
		{"a month and a year", read(TimeInterval{Months: []string{"november:12"}, Years: []string{"2026"}}), "2026-12-31T23:00:00Z", time.Hour},
		{"another year", read(TimeInterval{Months: []string{"november:12"}, Years: []string{"2025"}}), "2026-12-31T23:00:00Z", 0},
		{"always, as far as one looks", read(TimeInterval{}), "2026-12-31T23:00:00Z", muteLook},
		{"either of two", read(TimeInterval{Years: []string{"1999"}}, TimeInterval{Times: night}), "2026-11-20T05:59:59Z", time.Second},
	} {
		at, err := time.Parse(time.RFC3339, tt.at)
		if err != nil {
			t.Fatal(err)
		}
		if got := mutedFor(tt.in, at); got != tt.want {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
}
