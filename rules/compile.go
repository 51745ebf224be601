// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"regexp"
	"sort"
	"strings"

	"github.com/goccy/go-yaml/ast"
)

// The keys of a rule file.
var (
	ruleKeys = []string{
		"rule", "title", "severity", "attack", "description", "runbook", "match", "when", "by", "within", "weights", "learn",
		"except", "incident", "shadow", "tests",
	}
	exceptionKeys   = []string{"when", "reason", "owner", "expires"}
	incidentKeys    = []string{"group_by", "title", "quiet"}
	testKeys        = []string{"name", "events", "until", "expect"}
	expectationKeys = []string{"key", "count", "severity", "first", "last", "retracted"}
)

var (
	ruleID      = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)
	patternName = regexp.MustCompile(`^[a-z][a-z0-9_]*$`)
)

// Compile compiles rule files. The error joins every mistake of every file, each an [*Error];
// there is no half-loaded Set.
func Compile(files []File) (*Set, error) {
	set, errs := compile(files)
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	return set, nil
}

// CompileLenient leaves out the rules that do not compile and returns why.
func CompileLenient(files []File) (*Set, []error) { return compile(files) }

// draft is a rule on its way: its patterns may name rules of other files.
type draft struct {
	*source
	lists map[string]*list
	node  ast.Node
	rule  *Rule
	refs  []string // by pattern: the rule that detection(…) names
	// linked is the rule with those that it refers to, once that is known; count is how many they are, refused why they
	// do not make a rule.
	linked  *Rule
	count   int
	refused error
	linking bool
	at      map[string]ast.Node
	bad     bool
}

func compile(files []File) (*Set, []error) {
	var drafts []*draft
	byID := make(map[string]*draft)
	var others sigmaDocs
	lists, errs := readLists(files)
	var empty []string
	for _, s := range readFiles(files) {
		if len(s.docs) == 0 && len(s.errors) == 0 {
			empty = append(empty, s.file.Name)
		}
		for _, doc := range s.docs {
			if others.take(s, doc) {
				continue
			}
			d := s.draft(doc, lists)
			if d == nil {
				continue
			}
			if prev := byID[d.rule.ID]; prev != nil && d.rule.ID != "" {
				d.fail(d.at["rule"], "there is a rule %q already, at %s:%d", d.rule.ID, prev.rule.File, prev.rule.Line)
				d.bad = true
			} else {
				byID[d.rule.ID] = d
			}
			drafts = append(drafts, d)
		}
		errs = append(errs, s.errors...)
		s.errors = nil
	}
	var compiled []*Rule
	byRule := make(map[string]*Rule)
	for _, d := range drafts {
		if d.bad {
			continue
		}
		r, err := d.link(byID, nil)
		if err != nil {
			d.source.rule = d.rule.ID
			d.fail(d.at["match"], "%v", err)
			errs = append(errs, d.errors...)
			d.errors = nil
			continue
		}
		compiled = append(compiled, r)
		byRule[r.ID] = r
	}
	of, more := others.compile()
	for _, r := range of {
		if prev := byRule[r.ID]; prev != nil {
			more = append(more, &Error{File: r.File, Line: r.Line, Rule: r.ID, Err: fmt.Errorf("there is a rule %q already, at %s:%d", r.ID, prev.File, prev.Line)})
			continue
		}
		byRule[r.ID] = r
		compiled = append(compiled, r)
	}
	set := newSet(files, compiled)
	set.Empty = empty
	return set, append(errs, more...)
}

// draft reads one document.
func (s *source) draft(doc *ast.MappingNode, lists map[string]*list) *draft {
	s.rule = ""
	before := len(s.errors)
	if len(doc.Values) == 0 {
		s.fail(doc, "the rule is empty")
		return nil
	}
	for _, v := range doc.Values {
		if v.Key.GetToken().Value == "rule" {
			if n, ok := v.Value.(*ast.StringNode); ok {
				s.rule = n.Value
			}
		}
	}
	d := &draft{source: s, lists: lists, node: doc, at: make(map[string]ast.Node)}
	d.rule = &Rule{ID: s.rule, File: s.file.Name, Line: doc.Values[0].Key.GetToken().Position.Line, matcher: &matcher{}}
	fields := make(map[string]ast.Node)
	for _, e := range s.entries(doc, "a rule", ruleKeys) {
		fields[e.key] = e.value
		d.at[e.key] = e.node.Key
	}
	for _, key := range []string{"rule", "title", "severity", "match"} {
		if fields[key] == nil {
			s.failLine(d.rule.Line, "the key %q is missing", key)
		}
	}
	if fields["match"] != nil {
		d.meta(fields)
		d.patterns(fields["match"])
		d.condition(fields)
		d.keys(fields["by"])
		d.incident(fields["incident"])
		d.exceptions(fields["except"])
		d.ration(fields["match"])
		d.tests(fields["tests"])
	}
	d.bad = len(s.errors) > before
	return d
}

// meta reads what a rule says of itself.
func (d *draft) meta(fields map[string]ast.Node) {
	r := d.rule
	if n := fields["rule"]; n != nil {
		if r.ID = d.text(n, "rule"); r.ID != "" && !ruleID.MatchString(r.ID) {
			d.fail(n, "the id %q is not kebab-case (lower case letters and digits, joined by -)", r.ID)
		}
	}
	for key, to := range map[string]*string{"title": &r.Title, "description": &r.Description, "runbook": &r.Runbook} {
		if n := fields[key]; n != nil {
			*to = strings.TrimSpace(d.text(n, key))
		}
	}
	if n := fields["severity"]; n != nil {
		name := d.text(n, "severity")
		sev, ok := ParseSeverity(name)
		if !ok {
			d.fail(n, "unknown severity %q%s; there are %s", name, meant(name, severityNames[1:]), strings.Join(severityNames[1:], ", "))
		}
		r.Severity = sev
	}
	if n := fields["attack"]; n != nil {
		var unknown string
		r.Attack, r.Tactics, unknown = attack(d.texts(n, "attack"))
		if unknown != "" {
			d.fail(n, "%q is no ATT&CK technique (T1234 or T1234.001) and no tactic", unknown)
		}
	}
	if n := fields["shadow"]; n != nil {
		r.Shadow = d.boolean(n, "shadow")
	}
}

// revision hashes what a rule means (R2): not its texts, severity or tests.
func revision(r *Rule) string {
	h := sha256.New()
	fmt.Fprintf(h, "%q %#v %q %v %d %d %q\n", r.ID, r.When, r.By, r.GroupBy, r.Within, r.Quiet, r.Values)
	for _, p := range r.Patterns {
		fmt.Fprintf(h, "pattern %q %q %d\n", p.Name, p.Source, p.Child)
	}
	for _, k := range r.keySources {
		fmt.Fprintf(h, "key %q\n", k)
	}
	for _, e := range r.Exceptions {
		fmt.Fprintf(h, "except %q %d\n", e.When, e.Expires)
	}
	for _, c := range r.Children {
		fmt.Fprintf(h, "child %q %v\n", c.Revision, c.ParentKey)
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// setHash hashes what the rules mean and what incidents say of them.
func setHash(rs []*Rule) string {
	lines := make([]string, 0, len(rs))
	for _, r := range rs {
		lines = append(lines, r.Revision+" "+r.Words())
	}
	sort.Strings(lines)
	sum := sha256.Sum256([]byte(strings.Join(lines, "\n")))
	return hex.EncodeToString(sum[:16])
}

// Words is what incidents say of the rule, in one line: two rules of one revision differ by it, or not at all.
func (r *Rule) Words() string {
	return fmt.Sprintf("%q %d %t %q %q %q %q %q %q",
		r.ID, r.Severity, r.Shadow, r.Attack, r.Tactics, r.Title, r.IncidentTitle, r.Description, r.Runbook)
}
