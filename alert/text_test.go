// SPDX-License-Identifier: Apache-2.0

package alert

import (
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"

	"tocsin/incident"
)

func aboutOf(title string) about {
	a := sample()
	a.Title = title
	a.Entities = []incident.Entity{{Type: "user", Name: title}}
	return a
}

func TestTemplates(t *testing.T) {
	t.Parallel()
	a := aboutOf("<b> & c")
	for source, want := range map[string]string{
		`{{ .Title }}`:                                                               "&lt;b&gt; &amp; c",
		`<{{ .Title | toUpper }}>`:                                                   "<&lt;B&gt; &amp; C>",
		`{{ range .Entities }}{{ .Name }}{{ end }}`:                                  "&lt;b&gt; &amp; c",
		`{{ with .Title }}{{ . }}{{ else }}-{{ end }}`:                               "&lt;b&gt; &amp; c",
		`{{ $x := .Title }}{{ $x }}`:                                                 "&lt;b&gt; &amp; c",
		`{{ define "x" }}{{ . }}{{ end }}{{ template "x" .Title }}`:                  "&lt;b&gt; &amp; c",
		`{{ printf "%s" .Title }}`:                                                   "&lt;b&gt; &amp; c",
		`{{ join "," .Sources }} {{ .Assignee }} {{ .ClosedAt }}|`:                   "falco ana |",
		`{{ cut 3 .Title }}`:                                                         "&lt;b…",
		`{{ reReplaceAll "[<>]" "" .Title }}`:                                        "b &amp; c",
		`{{ plural 1 "event" "events" }}, {{ plural .EventCount "event" "events" }}`: "1 event, 0 events",
		`{{ index .Labels.severity 0 }} {{ .Kind }}`:                                 "high opened",
		`{{ toJson .Sources }}`:                                                      `["falco"]`,
	} {
		x, err := newText("t", source, escapeSlack)
		if err != nil {
			t.Errorf("%s: %v", source, err)
			continue
		}
		if got, err := x.render(a); err != nil || got != want {
			t.Errorf("%s = %q, %v, want %q", source, got, err, want)
		}
	}
	for _, source := range []string{`{{`, `{{ .Titel }}`, `{{ nothing }}`, `{{ toUpper }}`, `{{ index .Entities 9 }}`} {
		r := Receiver{Name: "a", Type: Slack, URL: "https://example.org/x", Title: source}
		if err := (Config{Receivers: []Receiver{r}}).Validate(); err == nil || !strings.HasPrefix(err.Error(), "alert.receivers[0].title: ") {
			t.Errorf("%s: %v", source, err)
		}
	}
}

// TestATemplateThatFailsTellsAllTheSame, with the default; and one that never ends is cut.
func TestATemplateThatFailsTellsAllTheSame(t *testing.T) {
	t.Parallel()
	r := Receiver{Title: `{{ (index .Entities 0).Name }}`, Text: `{{ (index .Entities 0).Name }}`}
	ts, err := newTexts(r, slackTitle, slackText, escapeSlack)
	if err != nil {
		t.Fatal(err)
	}
	a := aboutOf("a title")
	a.Entities = nil
	if title, body := ts.render(a); title != "a title" || !strings.Contains(body, "template failed") {
		t.Errorf("%q\n%s", title, body)
	}
	long, err := newText("t", `{{ range .Detections }}{{ range .Evidence }}{{ range $.Detections }}`+strings.Repeat("x", maxText)+`{{ end }}{{ end }}{{ end }}`, escapeSlack)
	if err != nil {
		t.Fatal(err)
	}
	a.Detections = append(a.Detections, a.Detections...)
	if got, err := long.render(a); err != nil || len(got) != maxText {
		t.Errorf("%d bytes, %v", len(got), err)
	}
}

// TestSlackTextIsSafeAtAnyLength: whatever is in it, it calls nobody, is valid, and breaks no escape where it is cut.
func TestSlackTextIsSafeAtAnyLength(t *testing.T) {
	t.Parallel()
	ts, err := newTexts(Receiver{}, slackTitle, slackText, escapeSlack)
	if err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(t *rapid.T) {
		a := aboutOf(rapid.StringMatching(`[<>&!@a-z ]{0,300}`).Draw(t, "title"))
		a.Description = rapid.String().Draw(t, "description")
		title, body := ts.render(a)
		for _, s := range []string{cutEscaped(title, maxSlackHeader), cutEscaped(body, rapid.IntRange(1, 400).Draw(t, "n"))} {
			if strings.ContainsAny(s, "<>") || !utf8.ValidString(s) {
				t.Fatalf("%q", s)
			}
			for _, part := range strings.Split(s, "&")[1:] {
				if !strings.HasPrefix(part, "amp;") && !strings.HasPrefix(part, "lt;") && !strings.HasPrefix(part, "gt;") {
					t.Fatalf("a broken escape in %q", s)
				}
			}
		}
	})
}
