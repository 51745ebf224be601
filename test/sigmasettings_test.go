// SPDX-License-Identifier: Apache-2.0

package test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"tocsin/rules"
)

const guests = "title: Guest\nid: g\nname: guest\nlogsource: {product: linux}\ndetection:\n  sel: {user|expand: '%Administrators%'}\n  condition: sel\n"

// TestSigmaSettingsBesideRules: settings and rules may stand in one file, in either order, and a mistake in the settings
// is told of with its line.
func TestSigmaSettingsBesideRules(t *testing.T) {
	t.Parallel()
	const own = "placeholders: {Administrators: [ana]}\n"
	for _, text := range []string{own + "---\n" + guests, guests + "---\n" + own} {
		set, err := rules.Compile([]rules.File{{Name: "one.yml", Data: []byte(text)}})
		if err != nil {
			t.Errorf("%s\n%v", text, err)
			continue
		}
		if len(set.Rules) != 1 || len(set.Warnings()) != 0 {
			t.Errorf("%d rules, warnings %v", len(set.Rules), set.Warnings())
		}
	}
	_, err := rules.Compile([]rules.File{{Name: "one.yml", Data: []byte(guests + "---\n" + own + "logsuorces: []\n")}})
	if want := `one.yml:10: unknown key "logsuorces"; did you mean "logsources"?`; err == nil || err.Error() != want {
		t.Errorf("%v\nwant %s", err, want)
	}
}

// TestSigmaGuessedPlaceholders: what a placeholder stands for by default is a guess, and `rules check` says so of the
// rules that use it, of correlations over them and of those that a filter makes use it; not where somebody has set it.
func TestSigmaGuessedPlaceholders(t *testing.T) {
	t.Parallel()
	const (
		plain  = "title: Plain\nid: p\nname: plain\nlogsource: {product: linux}\ndetection:\n  sel: {user: x}\n  condition: sel\n---\n"
		many   = "---\ntitle: Many\nid: m\nname: many\ncorrelation:\n  type: event_count\n  rules: [guest]\n  timespan: 1m\n  condition: {gte: 5}\n"
		filter = "title: No\nlogsource: {product: linux}\nfilter:\n  rules: [plain]\n  sel: {host|expand: '%DomainControllers%'}\n  condition: sel\n---\n"
	)
	for _, tc := range []struct {
		text string
		want []string
	}{
		{guests, []string{"g %Administrators% stands for what comes with the program (Administrator, admin*)"}},
		{guests + "---\nplaceholders: {administrators: [root]}\n", nil},
		{guests + many, []string{"m %Administrators% stands for what comes with the program (Administrator, admin*)"}},
		{plain, nil},
		{plain + filter, []string{"p %DomainControllers% stands for what comes with the program (DC*)"}},
	} {
		set, err := rules.Compile([]rules.File{{Name: "r.yml", Data: []byte(tc.text)}})
		if err != nil {
			t.Errorf("%s\n%v", tc.text, err)
			continue
		}
		var got []string
		for _, w := range set.Warnings() {
			if w.Kind == "guessed-placeholder" {
				got = append(got, w.Rule.ID+w.Message[len("the placeholder"):])
			}
		}
		for i, w := range got {
			if i < len(tc.want) && len(w) > len(tc.want[i]) {
				got[i] = w[:len(tc.want[i])]
			}
		}
		if diff := cmp.Diff(tc.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tc.text, diff)
		}
	}
}
