// SPDX-License-Identifier: Apache-2.0

package sigma

import (
	"slices"
	"strings"

	"github.com/goccy/go-yaml/ast"

	"tocsin/rules/pred"
)

// Meta is what every document says of itself.
type Meta struct {
	ID, Name, Title, Description, Status, Level, Author string
	// Techniques and Tactics are of the tags in the namespace attack, as the tags write them: t1059.001, execution.
	Attack     []string
	References []string
	Line       int
}

// Rule is one detection rule.
type Rule struct {
	Meta
	// Logsource is product/category/service, as far as the rule has them.
	Logsource string
	// Gate holds of events of the rule's log source; nil if the log source is unknown or says nothing.
	Gate pred.Node
	// Known is false of a log source that no mapping has: its rule sees all events.
	Known bool
	Node  pred.Node
	// Guessed are the placeholders that the rule and its filters use and only the program defines.
	Guessed []Guess
	// Size is that of Node ([pred.Size]).
	Size int

	source    *logsource
	logsource map[string]string
}

// Guess is a placeholder whose values come with the program: they are usual, and need not be so where it runs.
type Guess struct{ Name, Values string }

// Condition is the rule's condition behind its gate.
func (r *Rule) Condition() pred.Node {
	if r.Gate == nil {
		return r.Node
	}
	return pred.Gated{Gate: r.Gate, X: r.Node}
}

// levels are those of the specification.
var levels = []string{"informational", "low", "medium", "high", "critical"}

// Kind says what a document is.
type Kind uint8

// The kinds of documents.
const (
	None Kind = iota
	RuleKind
	CorrelationKind
	FilterKind
	// SettingsKind has log sources, mappings and placeholders.
	SettingsKind
)

// KindOf tells a document of Sigma by its keys.
func KindOf(doc *ast.MappingNode) Kind {
	for _, v := range doc.Values {
		switch v.Key.GetToken().Value {
		case "correlation":
			return CorrelationKind
		case "filter":
			return FilterKind
		case "logsources", "placeholders":
			return SettingsKind
		case "detection":
			return RuleKind
		}
	}
	return None
}

// ReadRule reads a detection rule. The error is an [*Error].
func ReadRule(doc *ast.MappingNode, config *Config) (*Rule, error) {
	ms, err := members(doc, "a Sigma rule")
	if err != nil {
		return nil, err
	}
	r := &Rule{}
	if r.Meta, err = readMeta(doc, ms); err != nil {
		return nil, err
	}
	rd := &reader{config: config}
	var detection ast.Node
	for _, m := range ms {
		switch m.key {
		case "logsource":
			if r.logsource, r.Logsource, err = logsourceOf(m.value); err != nil {
				return nil, err
			}
			if r.source, err = config.find(r.logsource, r.Logsource); err != nil {
				return nil, err
			}
			rd.source = r.source
		case "correlation", "filter":
			return nil, fail(m.at, "a rule has no %s: write that as a document of its own, behind a line of ---", m.key)
		case "detection":
			detection = m.value
		}
	}
	if rd.source != nil {
		r.Gate, r.Known = rd.source.gate, true
	}
	if r.Node, err = rd.detection(detection); err != nil {
		return r, err
	}
	r.Guessed, r.Size = rd.guessed, pred.Size(r.Node)
	return r, nil
}

// readMeta reads what all documents have. A level that is missing is medium.
func readMeta(doc *ast.MappingNode, ms []member) (Meta, error) {
	m := Meta{Line: doc.Values[0].Key.GetToken().Position.Line, Level: "medium"}
	for _, x := range ms {
		to := map[string]*string{
			"id": &m.ID, "name": &m.Name, "title": &m.Title, "description": &m.Description, "status": &m.Status, "author": &m.Author, "level": &m.Level,
		}[x.key]
		var err error
		switch {
		case to != nil:
			s, ok := text(x.value)
			if !ok {
				return m, fail(x.at, "%s is a text", x.key)
			}
			*to = strings.TrimSpace(s)
		case x.key == "tags":
			var tags []string
			if tags, err = texts(x.value, "tags"); err != nil {
				return m, err
			}
			for _, t := range tags {
				if a, ok := strings.CutPrefix(strings.ToLower(t), "attack."); ok {
					m.Attack = append(m.Attack, a)
				}
			}
		case x.key == "references":
			if m.References, err = texts(x.value, "references"); err != nil {
				return m, err
			}
		}
	}
	if m.Title == "" {
		return m, fail(doc, "the title is missing")
	}
	if m.Level = strings.ToLower(m.Level); !slices.Contains(levels, m.Level) {
		return m, fail(doc, "unknown level %q%s; there are %s", m.Level, meant(m.Level, levels), strings.Join(levels, ", "))
	}
	return m, nil
}
