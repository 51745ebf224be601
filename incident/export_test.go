// SPDX-License-Identifier: Apache-2.0

package incident_test

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"

	"tocsin/event"
	"tocsin/incident"
)

const at = event.Stamp(1_700_000_000_123_456_789)

// anExport has a text wherever events and people write.
func anExport(text string) incident.Export {
	who, verdict := text, incident.Benign
	return incident.Export{
		Incident: incident.View{
			ID: "ab", Title: text, Description: text, Runbook: text, Severity: "high", Status: incident.Closed, Verdict: &verdict, Assignee: &who,
			Rule: incident.RuleView{ID: text}, Key: map[string]any{text: text}, Entities: []incident.Entity{{Type: "user", Name: text}},
			Attack:     incident.AttackView{Techniques: []string{text}, Tactics: []string{text}},
			FirstEvent: at, LastEvent: at, OpenedAt: at, UpdatedAt: at, ClosedAt: at, Revision: 3,
			Detections: []incident.DetectionView{{ID: "cd", FirstEvent: at, LastEvent: at, Evidence: []incident.EvidenceView{{EventID: text, Step: text, Time: at}}}},
		},
		Evidence: []incident.EvidenceItem{{EventID: text, Step: text, Source: text, Message: text, SHA256: "c0ffee", Time: at}},
		Timeline: []incident.Moment{
			{At: at, Kind: "event", Event: &incident.EventMoment{Step: text, Source: text, Message: text, Late: true}},
			{At: at, Kind: "detection", Detection: &incident.FiringMoment{ID: "cd", EventCount: 2}},
			{At: at, Kind: "act", Act: &incident.Act{Actor: text, Kind: incident.ActComment, Detail: map[string]string{"text": text}}},
			{At: at, Kind: "act", Act: &incident.Act{Actor: text, Kind: incident.ActAssignee, Detail: map[string]string{"from": "", "to": text}}},
			{At: at, Kind: "alert", Alert: &incident.AlertedMoment{Receiver: text, Kind: text, State: "sent"}},
		},
		MoreEvidence: true, MoreTimeline: true,
	}
}

// outside takes code spans and fenced blocks out of a page, as CommonMark reads them: a span ends at a run of as many backticks as it
// began with, a block at a line of at least as many.
func outside(page string) string {
	var out strings.Builder
	lines := strings.Split(page, "\n")
	for i := 0; i < len(lines); i++ {
		line := lines[i]
		if run := len(line) - len(strings.TrimLeft(line, "`")); run >= 3 && !strings.Contains(line[run:], "`") {
			for i++; i < len(lines); i++ {
				end := strings.TrimRight(lines[i], " \t")
				if len(end) >= run && strings.Trim(end, "`") == "" {
					break
				}
			}
			continue
		}
		for {
			j := strings.IndexByte(line, '`')
			if j < 0 {
				break
			}
			out.WriteString(line[:j])
			rest := line[j:]
			run := len(rest) - len(strings.TrimLeft(rest, "`"))
			closed := regexp.MustCompile("(^|[^`])`{" + itoa(run) + "}($|[^`])").FindStringIndex(rest[run:])
			if closed == nil {
				return "a span has no end: " + line
			}
			end := run + closed[0]
			for rest[end] != '`' {
				end++
			}
			line = rest[end+run:]
		}
		out.WriteString(line + "\n")
	}
	return out.String()
}

func itoa(n int) string {
	b, _ := json.Marshal(n) // a number always has a text
	return string(b)
}

// FuzzMarkdown: whatever events and people write, what is outside of code is what it is for every text.
func FuzzMarkdown(f *testing.F) {
	for _, text := range []string{"a", "`", "``` x", "a `b` ``c``", "<script>", "![x](http://a)", "# h", "\n\n# h", "\r\n```\n", "@ana", " ", "|", "\u2028- x", "~~~\n", "`\n````\n`"} {
		f.Add(text)
	}
	want := outside(anExport("plain").Markdown())
	f.Fuzz(func(t *testing.T, text string) {
		if strings.TrimSpace(text) == "" {
			return // it is left out, or a dash
		}
		got := outside(anExport(text).Markdown())
		if got != want && !strings.Contains(anExport(text).Markdown(), "–") {
			t.Errorf("%q leaves its code:\n%s\nwant\n%s", text, got, want)
		}
	})
}

func TestMarkdownSaysWhatHappened(t *testing.T) {
	t.Parallel()
	page := anExport("te`xt").Markdown()
	for _, want := range []string{
		"# Incident: `` te`xt ``", "- Status: ` closed `", "- ` 2023", "event (late): step", "wrote:\n\n```text\nte`xt\n```", "detection ` cd ` of 2 events",
		"to `` te`xt ``: ` sent `", "SHA-256 ` c0ffee `", "There is more evidence", "More followed",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("it does not have %q:\n%s", want, page)
		}
	}
}

// TestOCSF looks at what the class Incident Finding requires.
func TestOCSF(t *testing.T) {
	t.Parallel()
	b, err := json.Marshal(anExport("x").OCSF("v1"))
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]any
	if err := json.Unmarshal(b, &got); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]any{
		"class_uid": 2005.0, "category_uid": 2.0, "activity_id": 3.0, "type_uid": 200503.0, "severity_id": 4.0, "status_id": 5.0, "status": "Closed",
		"verdict_id": 5.0, "time": 1700000000123.0, "comment": "x",
	} {
		if got[name] != want {
			t.Errorf("%s is %v, want %v", name, got[name], want)
		}
	}
	findings, _ := got["finding_info_list"].([]any)
	metadata, _ := got["metadata"].(map[string]any)
	assignee, _ := got["assignee"].(map[string]any)
	if len(findings) != 1 || metadata["version"] == nil || metadata["product"] == nil || assignee["name"] != "x" {
		t.Errorf("%s", b)
	}
	none := anExport("x")
	none.Incident.Assignee, none.Incident.Detections = nil, nil
	out := none.OCSF("v1")
	if out["assignee"] != nil || out["assignee_group"] == nil || len(out["finding_info_list"].([]any)) != 1 {
		t.Errorf("%v", out)
	}
}
