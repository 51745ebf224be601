// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/goccy/go-yaml/ast"

	"tocsin/event"
	"tocsin/rules/pred"
	"tocsin/rules/sigma"
)

// sigmaDocs are the documents of Sigma among the rule files (detection.md, "Sigma").
type sigmaDocs struct {
	config       *sigma.Config
	rules        []*sigmaRule
	correlations []*sigmaCorrelation
	filters      []sigmaDoc
	settings     map[string][]byte
	copied       int // bytes
	errs         []error
}

// sigmaDoc is one document, and the file that it stands in.
type sigmaDoc struct {
	*source
	node *ast.MappingNode
}

type sigmaRule struct {
	sigmaDoc
	*sigma.Rule
	// hidden: only correlations refer to it, and none wants incidents of it.
	hidden bool
}

// fails notes an error with the line that it names.
func (d sigmaDoc) fails(rule string, err error) error {
	d.rule = rule
	line := d.node.Values[0].Key.GetToken().Position.Line
	if e, ok := errors.AsType[*sigma.Error](err); ok && e.Line > 0 {
		line = e.Line
	}
	before := len(d.errors)
	d.failLine(line, "%w", err)
	err = d.errors[before]
	d.errors = d.errors[:before]
	return err
}

// take keeps a document of Sigma; it reports false of a native rule.
func (s *sigmaDocs) take(src *source, doc *ast.MappingNode) bool {
	d := sigmaDoc{src, doc}
	switch sigma.KindOf(doc) {
	case sigma.RuleKind:
		s.rules = append(s.rules, &sigmaRule{sigmaDoc: d})
	case sigma.CorrelationKind:
		s.correlations = append(s.correlations, &sigmaCorrelation{sigmaDoc: d})
	case sigma.FilterKind:
		s.filters = append(s.filters, d)
	case sigma.SettingsKind:
		if s.settings == nil {
			s.settings = make(map[string][]byte)
		}
		s.settings[src.file.Name] = src.file.Data
	default:
		return false
	}
	return true
}

// compile makes rules of the documents.
func (s *sigmaDocs) compile() (out []*Rule, errs []error) {
	if len(s.rules)+len(s.correlations)+len(s.filters)+len(s.settings) == 0 {
		return nil, nil
	}
	var err error
	if s.config, err = sigma.NewConfig(s.settings); err != nil {
		return nil, []error{err}
	}
	s.read()
	s.filter()
	s.ration()
	correlations := s.correlate()
	shown := slices.DeleteFunc(slices.Clone(s.rules), func(r *sigmaRule) bool { return r.hidden })
	out = make([]*Rule, len(shown))
	atOnce(len(out), func(i int) { out[i] = shown[i].compile() })
	return append(out, correlations...), s.errs
}

// read reads rules and correlations, and leaves out those that are wrong.
func (s *sigmaDocs) read() {
	wrong := make([]error, len(s.rules))
	atOnce(len(wrong), func(i int) { s.rules[i].Rule, wrong[i] = sigma.ReadRule(s.rules[i].node, s.config) })
	for i, r := range s.rules {
		if wrong[i] != nil {
			s.errs = append(s.errs, r.fails(titleOf(r.node), wrong[i]))
		}
	}
	s.rules = slices.DeleteFunc(s.rules, func(r *sigmaRule) bool { return r.Rule == nil })
	s.correlations = slices.DeleteFunc(s.correlations, func(c *sigmaCorrelation) bool {
		var err error
		if c.Correlation, err = sigma.ReadCorrelation(c.node); err != nil {
			s.errs = append(s.errs, c.fails(titleOf(c.node), err))
		}
		return err != nil
	})
}

// titleOf is what an error calls a document that cannot be read.
func titleOf(doc *ast.MappingNode) string {
	for _, v := range doc.Values {
		if v.Key.GetToken().Value == "title" {
			return v.Value.GetToken().Value
		}
	}
	return ""
}

// filter applies filters to the rules that they name (S6).
func (s *sigmaDocs) filter() {
	for _, d := range s.filters {
		f, err := sigma.ReadFilter(d.node, s.config)
		if err != nil {
			s.errs = append(s.errs, d.fails(titleOf(d.node), err))
			continue
		}
		applied := false
		for _, r := range s.rules {
			before := r.Size
			did, err := f.Apply(r.Rule)
			if err == nil && did {
				err = s.copies(r.Size - before)
			}
			if err != nil {
				s.errs = append(s.errs, d.fails(f.Title, err))
				break
			}
			applied = applied || did
		}
		if !applied {
			s.errs = append(s.errs, d.fails(f.Title, errors.New("the filter applies to no rule that is loaded")))
		}
	}
}

// hostField is where records of hosts say which it was.
var hostField = pred.Field{Name: "host.name", Sources: []pred.Source{
	{Slot: event.HostName},
	{Path: []pred.Step{{Key: "Computer"}}}, {Path: []pred.Step{{Key: "ComputerName"}}}, {Path: []pred.Step{{Key: "Hostname"}}},
	{Path: []pred.Step{{Key: "winlog"}, {Key: "computer_name"}}},
}}

// compile makes a rule of one event. Its key is the event's main entity; an event that names none is of the key of
// nobody: the rule says nothing of keys, and must not be lost for want of one.
func (x *sigmaRule) compile() *Rule {
	r := sigmaMeta(x.Meta, x.source)
	cond := x.Condition()
	r.Patterns = []Pattern{{Name: "match", Source: pred.Print(cond), Child: -1}}
	r.When = Is{0}
	r.By = entityFields
	for i := range r.By {
		r.GroupBy = append(r.GroupBy, i)
	}
	r.keySources = []string{"sigma", pred.Digest(cond)}
	r.warnOf(x)
	r.matcher.patterns = []pred.Node{cond}
	r.matcher.byEntity, r.matcher.host, r.matcher.nobody = true, hostField, true
	r.finish()
	return r
}

// finish sets what follows from the rest.
func (r *Rule) finish() {
	r.Revision = revision(r)
	r.matcher.fields = neededFields(r)
}

// sigmaMeta is what a document says of itself (S7, S8). A rule of the level informational is for enrichment and alerts
// nobody (specification 2.1.0).
func sigmaMeta(m sigma.Meta, src *source) *Rule {
	r := &Rule{
		ID: cmp.Or(m.ID, m.Name, slug(m.Title)), Title: m.Title, Description: m.Description, Quiet: defaultQuiet,
		File: src.file.Name, Line: m.Line, matcher: &matcher{},
	}
	r.Severity, _ = ParseSeverity(m.Level)
	r.Shadow = r.Severity == Informational
	if len(m.References) > 0 {
		r.Description = strings.TrimSpace(r.Description + "\n\nReferences: " + strings.Join(m.References, " "))
	}
	for _, tag := range m.Attack {
		if tag != "" && tag[0] == 't' {
			tag = strings.ToUpper(tag)
		}
		techniques, tactics, unknown := attack([]string{strings.ReplaceAll(tag, "_", "-")})
		if unknown != "" {
			continue // groups and software are tags, too
		}
		r.Attack = append(r.Attack, techniques...)
		for _, t := range tactics {
			if !slices.Contains(r.Tactics, t) {
				r.Tactics = append(r.Tactics, t)
			}
		}
	}
	return r
}

var notSlug = regexp.MustCompile(`[^a-z0-9]+`)

func slug(title string) string {
	return strings.Trim(notSlug.ReplaceAllString(strings.ToLower(title), "-"), "-")
}

// find returns the rule or correlation that has an id or a name.
func (s *sigmaDocs) find(ref string) (*sigmaRule, *sigmaCorrelation, error) {
	for _, r := range s.rules {
		if r.ID == ref || r.Name == ref {
			return r, nil, nil
		}
	}
	for _, c := range s.correlations {
		if c.ID == ref || c.Name == ref {
			return nil, c, nil
		}
	}
	var names []string
	for _, r := range s.rules {
		names = append(names, cmp.Or(r.Name, r.ID))
	}
	return nil, nil, fmt.Errorf("there is no Sigma rule %q%s", ref, meant(ref, names))
}
