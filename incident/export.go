// SPDX-License-Identifier: Apache-2.0

package incident

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
)

// Export is an incident to take along.
type Export struct {
	Incident View           `json:"incident"`
	Evidence []EvidenceItem `json:"evidence"`
	Timeline []Moment       `json:"timeline"`
	// MoreEvidence and MoreTimeline say that it does not have all, but the earliest.
	MoreEvidence bool `json:"more_evidence"`
	MoreTimeline bool `json:"more_timeline"`
}

// Markdown returns it as a page for people. What events and people wrote stands in code, where nothing of it is markup: no link, no
// image, no HTML, no mention.
func (x Export) Markdown() string {
	var b strings.Builder
	v := x.Incident
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	fact := func(name, text string) {
		if text != "" {
			line("- %s: %s", name, code(text))
		}
	}
	line("# Incident: %s\n", code(v.Title))
	fact("ID", v.ID)
	fact("Severity", v.Severity)
	fact("Status", string(v.Status))
	if v.Verdict != nil {
		fact("Verdict", string(*v.Verdict))
	}
	if v.Assignee != nil {
		fact("Assignee", *v.Assignee)
	}
	if v.MergedInto != nil {
		fact("Merged into", *v.MergedInto)
	}
	fact("Rule", v.Rule.ID)
	fact("Events", fmt.Sprint(v.EventCount))
	fact("First event", v.FirstEvent.String())
	fact("Last event", v.LastEvent.String())
	fact("Opened", v.OpenedAt.String())
	if v.ClosedAt != 0 {
		fact("Closed", v.ClosedAt.String())
	}
	names := make([]string, 0, len(v.Key))
	for name := range v.Key {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		fact("Key", name+" = "+fmt.Sprint(v.Key[name]))
	}
	for _, e := range v.Entities {
		fact("Entity", e.Type+" "+e.Name)
	}
	for _, t := range v.Attack.Techniques {
		fact("ATT&CK", t)
	}
	fact("Runbook", v.Runbook)
	if v.Description != "" {
		line("\n%s", block(v.Description))
	}
	line("\n## Timeline\n")
	for _, m := range x.Timeline {
		line("- %s %s", code(m.At.String()), m.words())
		if m.Act != nil && m.Act.Kind == ActComment {
			line("\n%s\n", block(m.Act.Detail["text"]))
		}
	}
	if x.MoreTimeline {
		line("\nMore followed: this is the beginning.")
	}
	line("\n## Evidence\n")
	for _, e := range x.Evidence {
		line("- %s step %s, %s event %s, SHA-256 %s", code(e.Time.String()), code(e.Step), code(e.Source), code(e.EventID), code(e.SHA256))
		if e.Message != "" {
			line("  %s", code(e.Message))
		}
	}
	if x.MoreEvidence {
		line("\nThere is more evidence: this is the earliest.")
	}
	return b.String()
}

// words says what a moment was, as Markdown.
func (m Moment) words() string {
	switch {
	case m.Event != nil:
		late := ""
		if m.Event.Late {
			late = " (late)"
		}
		return fmt.Sprintf("event%s: step %s, %s: %s", late, code(m.Event.Step), code(m.Event.Source), code(m.Event.Message))
	case m.Detection != nil && m.Detection.Retracted != nil:
		return fmt.Sprintf("detection %s, retracted", code(m.Detection.ID))
	case m.Detection != nil:
		return fmt.Sprintf("detection %s of %d events", code(m.Detection.ID), m.Detection.EventCount)
	case m.Alert != nil:
		return fmt.Sprintf("alert %s to %s: %s", code(m.Alert.Kind), code(m.Alert.Receiver), code(m.Alert.State))
	case m.Act != nil && m.Act.Kind == ActComment:
		return code(m.Act.Actor) + " wrote:"
	case m.Act != nil:
		var detail []string
		for name, v := range m.Act.Detail {
			detail = append(detail, name+" "+v)
		}
		slices.Sort(detail)
		return fmt.Sprintf("%s: %s, %s", code(m.Act.Actor), code(m.Act.Kind), code(strings.Join(detail, ", ")))
	}
	return m.Kind
}

// code is text on one line within a code span: its fence is longer than any run of backticks in it.
func code(text string) string {
	text = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == '\u2028' || r == '\u2029' {
			return ' '
		}
		return r
	}, text)
	if strings.TrimSpace(text) == "" {
		return "–"
	}
	fence := strings.Repeat("`", longestRun(text)+1)
	return fence + " " + text + " " + fence // the spaces are no part of it
}

// block is text within a fenced block.
func block(text string) string {
	text = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) && r != '\n' && r != '\t' {
			return ' '
		}
		return r
	}, text)
	fence := strings.Repeat("`", max(3, longestRun(text)+1))
	return fence + "text\n" + text + "\n" + fence
}

// longestRun returns the length of the longest run of backticks.
func longestRun(text string) int {
	longest, run := 0, 0
	for _, r := range text {
		if r != '`' {
			run = 0
			continue
		}
		run++
		longest = max(longest, run)
	}
	return longest
}
