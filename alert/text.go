// SPDX-License-Identifier: Apache-2.0

package alert

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"text/template"
	"text/template/parse"

	"tocsin/incident"
)

// about is what a template sees: the incident as the API prints it, with what became of it and where people see it. Most of its
// text was written by whoever writes the logs: an attacker, too. So what a template puts out is escaped for the target, at the very
// end of each action, whatever the template did with it before.
type about struct {
	incident.View
	// Kind is what became of the incident.
	Kind Kind
	// URL is its page in the console, "" if external_url is not set.
	URL string
	// Labels are those that routes and silences match.
	Labels LabelSet
}

// readAbout reads an alert's body again.
func readAbout(body []byte, externalURL string) (about, error) {
	var said struct {
		Type string        `json:"type"`
		Data incident.View `json:"data"`
	}
	if err := json.Unmarshal(body, &said); err != nil {
		return about{}, fmt.Errorf("%w: read the alert: %w", errPermanent, err)
	}
	a := about{View: said.Data, Kind: Kind(strings.TrimSuffix(strings.TrimPrefix(said.Type, typePrefix), typeSuffix))}
	a.Labels = LabelsOf(a.View)
	if externalURL != "" {
		a.URL = strings.TrimSuffix(externalURL, "/") + "/incidents/" + url.PathEscape(a.ID)
	}
	return a, nil
}

// over reports whether nothing more is to be done about the incident.
func (k Kind) over() bool { return k == Closed || k == Retracted || k == Merged }

// maxText bounds what a template may put out.
const maxText = 64 << 10

// text is a template for one target.
type text struct{ t *template.Template }

// newText compiles a template. escape makes any text harmless for the target.
func newText(name, source string, escape func(string) string) (text, error) {
	t, err := template.New(name).Funcs(functions()).Funcs(template.FuncMap{
		"escaped": func(v any) string { return escape(show(v)) },
	}).Parse(source)
	if err != nil {
		return text{}, errors.New(strings.TrimPrefix(err.Error(), "template: "+name+":"))
	}
	for _, one := range t.Templates() {
		if one.Tree != nil {
			escapeAll(one.Tree, one.Root)
		}
	}
	return text{t.Option("missingkey=zero")}, nil
}

// render returns what the template makes of an alert, at most [maxText] bytes of it.
func (t text) render(a about) (string, error) {
	w := &bounded{}
	if err := t.t.Execute(w, a); err != nil && !errors.Is(err, errFull) {
		return "", err
	}
	return strings.ToValidUTF8(w.String(), ""), nil
}

var errFull = errors.New("the text is full")

// bounded keeps the first bytes of what is written, and stops the template there.
type bounded struct{ strings.Builder }

func (b *bounded) Write(p []byte) (int, error) {
	n := min(len(p), maxText-b.Len())
	b.Builder.Write(p[:n])
	if n < len(p) {
		return n, errFull
	}
	return n, nil
}

// escapeAll puts the target's escaping at the end of each action that puts something out, as html/template does.
func escapeAll(tree *parse.Tree, node parse.Node) {
	branch := func(b *parse.BranchNode) {
		escapeAll(tree, b.List)
		if b.ElseList != nil {
			escapeAll(tree, b.ElseList)
		}
	}
	switch n := node.(type) {
	case *parse.ListNode:
		for _, x := range n.Nodes {
			escapeAll(tree, x)
		}
	case *parse.IfNode:
		branch(&n.BranchNode)
	case *parse.RangeNode:
		branch(&n.BranchNode)
	case *parse.WithNode:
		branch(&n.BranchNode)
	case *parse.ActionNode:
		if len(n.Pipe.Decl) > 0 {
			return // it puts nothing out
		}
		n.Pipe.Cmds = append(n.Pipe.Cmds, &parse.CommandNode{
			NodeType: parse.NodeCommand, Pos: n.Pos, Args: []parse.Node{parse.NewIdentifier("escaped").SetPos(n.Pos).SetTree(tree)},
		})
	}
}

// texts are the title and the text of one receiver, with the defaults of its type for where its own fail.
type texts struct {
	title, text               text
	defaultTitle, defaultText text
}

func newTexts(r Receiver, title, body string, escape func(string) string) (texts, error) {
	var t texts
	var err error
	if t.defaultTitle, err = newText("title", title, escape); err != nil {
		return t, err
	}
	if t.defaultText, err = newText("text", body, escape); err != nil {
		return t, err
	}
	t.title, t.text = t.defaultTitle, t.defaultText
	if r.Title != "" {
		if t.title, err = newText("title", r.Title, escape); err != nil {
			return t, fmt.Errorf("title: %w", err)
		}
	}
	if r.Text != "" {
		if t.text, err = newText("text", r.Text, escape); err != nil {
			return t, fmt.Errorf("text: %w", err)
		}
	}
	return t, nil
}

// render returns title and text. A template that fails on this incident keeps nobody from hearing of it: the default is used, and says so.
func (t texts) render(a about) (title, body string) {
	title, err := t.title.render(a)
	if err != nil || strings.TrimSpace(title) == "" {
		title, _ = t.defaultTitle.render(a) // tests run it over every kind
	}
	body, err = t.text.render(a)
	if err != nil {
		body, _ = t.defaultText.render(a)
		body += "\n(The receiver's template failed: this is the default.)"
	}
	return strings.Join(strings.Fields(title), " "), strings.TrimSpace(body)
}

// validateTemplates compiles the templates and runs each over an incident, so that a field that there is not is found at the start.
func (r Receiver) validateTemplates(at string) error {
	for key, source := range map[string]string{"title": r.Title, "text": r.Text} {
		t, err := newText(key, source, func(s string) string { return s })
		if err == nil {
			_, err = t.render(sample())
		}
		if err != nil {
			return wrong(at+"."+key, "%w", err)
		}
	}
	return nil
}

// sample is an incident that has something of everything.
func sample() about {
	who, verdict, other := "ana", incident.TruePositive, "0123456789abcdef0123456789abcdef"
	v := incident.View{
		ID: other, Title: "title", Description: "description", Runbook: "runbook", Status: incident.New, Verdict: &verdict, Severity: "high",
		Rule: incident.RuleView{ID: "rule", Title: "title", Revision: "r"}, Key: map[string]any{"user.name": "ana"},
		Entities: []incident.Entity{{Type: "user", Name: "ana"}}, Attack: incident.AttackView{Tactics: []string{"impact"}, Techniques: []string{"T1"}},
		Sources: []string{"falco"}, Detections: []incident.DetectionView{{ID: other, Evidence: []incident.EvidenceView{{EventID: "e"}}}},
		MergedInto: &other, Assignee: &who,
	}
	return about{View: v, Kind: Opened, URL: "https://tocsin.example.org/incidents/" + other, Labels: LabelsOf(v)}
}
