// SPDX-License-Identifier: Apache-2.0

package alert

import (
	"slices"
	"strings"

	"tocsin/incident"
)

// escapeSlack makes text that nobody is called by, and that leads nowhere: Slack has these three characters, and no others.
func escapeSlack(s string) string {
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(s)
}

type slackBlock struct {
	Type     string        `json:"type"`
	Text     *slackObject  `json:"text,omitempty"`
	Elements []slackButton `json:"elements,omitempty"`
}

type slackButton struct {
	Type     string      `json:"type"`
	Text     slackObject `json:"text"`
	ActionID string      `json:"action_id"`
	Value    string      `json:"value"`
}

// slackObject is a text object. Verbatim keeps Slack from making links and names out of what somebody else wrote.
type slackObject struct {
	Type     string `json:"type"`
	Text     string `json:"text"`
	Verbatim bool   `json:"verbatim,omitempty"`
	Emoji    *bool  `json:"emoji,omitempty"`
}

type slackMessage struct {
	Channel     string            `json:"channel,omitempty"`
	TS          string            `json:"ts,omitempty"`
	ThreadTS    string            `json:"thread_ts,omitempty"`
	Text        string            `json:"text"`
	Attachments []slackAttachment `json:"attachments,omitempty"`
	Parse       string            `json:"parse"`
	LinkNames   bool              `json:"link_names"`
	UnfurlLinks bool              `json:"unfurl_links"`
	UnfurlMedia bool              `json:"unfurl_media"`
	Metadata    *slackMetadata    `json:"metadata,omitempty"`
}

type slackAttachment struct {
	Color    string       `json:"color"`
	Fallback string       `json:"fallback"`
	Blocks   []slackBlock `json:"blocks"`
}

// slackMetadata has the idempotency key, for whoever looks for a repetition.
type slackMetadata struct {
	EventType    string            `json:"event_type"`
	EventPayload map[string]string `json:"event_payload"`
}

// message makes what is posted of an alert.
func (s *slack) message(it Item, a about) slackMessage {
	title, body := s.texts.render(a)
	header := cutEscaped(title, maxSlackHeader)
	blocks := []slackBlock{
		{Type: "section", Text: &slackObject{Type: "mrkdwn", Text: "*" + header + "*", Verbatim: true}},
	}
	if body != "" {
		blocks = append(blocks, slackBlock{Type: "section", Text: &slackObject{Type: "mrkdwn", Text: cutEscaped(body, maxSlackText), Verbatim: true}})
	}
	m := slackMessage{Text: header, Parse: "none", Attachments: []slackAttachment{{Color: color(a), Fallback: header, Blocks: blocks}}}
	if s.hook == "" {
		m.Channel = s.channel
		m.Metadata = &slackMetadata{"tocsin_alert", map[string]string{"key": it.Key()}}
	}
	return m
}

// main is a message as the incident's own has it: with a button as long as nobody works on it.
func (s *slack) main(m slackMessage, a about) slackMessage {
	if !s.button || a.Kind.over() || a.Status != incident.New {
		return m
	}
	m.Attachments = slices.Clone(m.Attachments)
	m.Attachments[0].Blocks = append(slices.Clone(m.Attachments[0].Blocks), slackBlock{Type: "actions", Elements: []slackButton{{
		Type: "button", Text: slackObject{Type: "plain_text", Text: "Acknowledge"}, ActionID: slackAcknowledge, Value: a.ID,
	}}})
	return m
}

// cutEscaped cuts text to n characters, and breaks no escape.
func cutEscaped(s string, n int) string {
	out := ellipsis(s, n)
	if out == s {
		return s
	}
	if i := strings.LastIndexByte(out, '&'); i >= 0 && !strings.Contains(out[i:], ";") {
		out = out[:i] + "…"
	}
	return out
}

func color(a about) string {
	if a.Kind.over() {
		return "#2eb67d"
	}
	switch a.Severity {
	case "critical":
		return "#7a0019"
	case "high":
		return "#d7263d"
	case "medium":
		return "#f2a33a"
	}
	return "#5b8def"
}
