// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"

	"tocsin/event"
	"tocsin/rules/pred"
)

// Bounds of a rule's spans.
const (
	maxWithin    = 366 * 24 * time.Hour
	defaultQuiet = 24 * time.Hour
)

// reserved are names that a pattern cannot have: keywords, forms and first parts of fields.
func reserved(name string) bool {
	switch name {
	case "and", "or", "not", "in", "contains", "matches", "true", "false", "nil", "let", "if", "else", "raw":
		return true
	}
	if contains(formNames, name) || contains(functionNames, name) {
		return true
	}
	for _, def := range event.Registry() {
		if first, _, _ := strings.Cut(def.Name, "."); first == name {
			return true
		}
	}
	return false
}

// patterns reads `match`: one expression, or one for each name.
func (d *draft) patterns(n ast.Node) {
	type named struct {
		name string
		node ast.Node
	}
	var list []named
	switch n.(type) {
	case *ast.MappingNode, *ast.MappingValueNode:
		for _, e := range d.entries(n, "match", nil) {
			if !patternName.MatchString(e.key) || reserved(e.key) {
				d.fail(e.node.Key, "%q cannot name a pattern: a lower case letter, then letters, digits and _, and no keyword, form or first part of a field", e.key)
				continue
			}
			list = append(list, named{e.key, e.value})
		}
	default:
		list = append(list, named{"match", n})
	}
	if len(list) > MaxPatterns {
		d.fail(n, "a rule has at most %d patterns, this one has %d", MaxPatterns, len(list))
		return
	}
	for _, p := range list {
		// One that is wrong has its name all the same: what uses the name is not wrong, too.
		d.rule.Patterns = append(d.rule.Patterns, Pattern{Name: p.name, Child: -1})
		d.rule.matcher.patterns = append(d.rule.matcher.patterns, nil)
		d.refs = append(d.refs, "")
		at := len(d.refs) - 1
		src := d.expression(p.node, "the pattern "+p.name)
		if src == "" {
			continue
		}
		tree, err := parseExpr(src)
		if err != nil {
			d.failExpr(p.node, src, "pattern "+p.name, err)
			continue
		}
		ref, is, err := detectionRef(tree)
		var match pred.Node
		if err == nil && !is {
			match, err = compilePredicate(tree)
		}
		if err == nil && match != nil {
			err = d.lookUp(match)
		}
		if err == nil && match != nil {
			err = pred.Ration(match)
		}
		if err != nil {
			d.failExpr(p.node, src, "pattern "+p.name, err)
			continue
		}
		if !is {
			d.rule.Patterns[at].Source = tree.String()
		}
		d.rule.matcher.patterns[at], d.refs[at] = match, ref
	}
}

// condition reads `when` and `within`.
func (d *draft) condition(fields map[string]ast.Node) {
	r := d.rule
	names := make([]string, len(r.Patterns))
	for i, p := range r.Patterns {
		names[i] = p.Name
	}
	if n := fields["within"]; n != nil {
		var ok bool
		if r.Within, ok = d.span(n, "within"); ok && (r.Within <= 0 || r.Within > maxWithin) {
			d.fail(n, "within is between 1s and 366d")
		}
	}
	n := fields["when"]
	if n == nil {
		switch {
		case len(names) > 1:
			d.fail(d.at["match"], "with several patterns `when` says how they combine")
		case len(names) == 1:
			r.When = Is{0}
		}
	} else if src := d.expression(n, "when"); src != "" {
		tree, err := parseExpr(src)
		if err == nil {
			r.When, err = conditions{names, &r.Values, d.weights(fields["weights"], names), d.learn(fields["learn"])}.compile(tree)
		}
		if err != nil {
			d.failExpr(n, src, "when", err)
		}
	}
	if r.When != nil {
		d.unused(fields)
	}
	if r.When != nil && r.Within == 0 && fields["within"] == nil && !windowless(r.When) {
		d.fail(n, "within is missing: over what time does `when` look?")
	}
	for _, name := range r.Values {
		o, err := valueByName(name)
		if err != nil {
			d.fail(n, "when: %v", err)
			return
		}
		r.matcher.values = append(r.matcher.values, o)
		if o.named {
			r.matcher.fields = append(r.matcher.fields, o.slot)
		}
	}
}

// keys reads `by`: a list of fields, names for fields, or names for a field per pattern.
func (d *draft) keys(n ast.Node) {
	r, m := d.rule, d.rule.matcher
	switch n := n.(type) {
	case nil:
		r.By, m.byEntity = entityFields, true
		m.host = pred.Field{Name: "host.name", Sources: []pred.Source{{Slot: event.HostName}}}
	case *ast.SequenceNode:
		for _, v := range n.Values {
			d.key(v, d.text(v, "by"), "")
		}
	case *ast.StringNode:
		d.key(n, n.Value, "")
	case *ast.MappingNode, *ast.MappingValueNode:
		for _, e := range d.entries(n, "by", nil) {
			switch v := e.value.(type) {
			case *ast.MappingNode, *ast.MappingValueNode:
				d.hop(e)
			default:
				d.key(v, d.text(v, "by"), e.key)
			}
		}
	default:
		d.fail(n, "by is a list of fields, or names for them")
	}
	for i := range r.By {
		r.GroupBy = append(r.GroupBy, i)
	}
}

// key adds one part of the key: a field, under its own or another name.
func (d *draft) key(n ast.Node, field, name string) {
	if field == "" {
		return
	}
	o, err := fieldByName(field)
	if err != nil {
		d.fail(n, "by: %v", err)
		return
	}
	if name == "" {
		name = field
	}
	d.part(n, keyPart{name: name, field: o.field}, field, o)
}

// hop adds a part that is another field for each pattern.
func (d *draft) hop(e entry) {
	part := keyPart{name: e.key, perPattern: make([]choice, len(d.rule.Patterns))}
	names := make([]string, len(d.rule.Patterns))
	for i, p := range d.rule.Patterns {
		names[i] = p.Name
	}
	sources := make([]string, len(names))
	for _, x := range d.entries(e.value, "by."+e.key, nil) {
		at := -1
		for i, name := range names {
			if name == x.key {
				at = i
			}
		}
		if at < 0 {
			d.fail(x.node.Key, "by: there is no pattern %q%s", x.key, meant(x.key, names))
			continue
		}
		field := d.text(x.value, "by")
		o, err := fieldByName(field)
		if err != nil {
			d.fail(x.value, "by: %v", err)
			continue
		}
		part.perPattern[at], sources[at] = choice{{field: o.field}}, field
		if o.named {
			d.rule.matcher.fields = append(d.rule.matcher.fields, o.slot)
		}
	}
	for i, source := range sources {
		if source == "" {
			d.fail(e.node.Key, "by: %s says no field for the pattern %s", e.key, names[i])
			return
		}
	}
	d.part(e.node.Key, part, strings.Join(sources, ","), operand{})
}

func (d *draft) part(n ast.Node, p keyPart, field string, o operand) {
	if contains(d.rule.By, p.name) {
		d.fail(n, "by: %q stands twice", p.name)
		return
	}
	d.rule.By = append(d.rule.By, p.name)
	d.rule.keySources = append(d.rule.keySources, field)
	d.rule.matcher.keys = append(d.rule.matcher.keys, p)
	if o.named {
		d.rule.matcher.fields = append(d.rule.matcher.fields, o.slot)
	}
}

// incident reads the block of that name.
func (d *draft) incident(n ast.Node) {
	r := d.rule
	r.Quiet = defaultQuiet
	if n == nil {
		return
	}
	for _, e := range d.entries(n, "incident", incidentKeys) {
		switch e.key {
		case "quiet":
			r.Quiet = d.duration(e.value, "quiet")
		case "title":
			r.IncidentTitle = d.text(e.value, "incident.title")
			t, fields, err := parseTemplate(r.IncidentTitle)
			if err != nil {
				d.fail(e.value, "incident.title: %v", err)
				continue
			}
			r.matcher.title = t
			r.matcher.fields = append(r.matcher.fields, fields...)
		case "group_by":
			r.GroupBy = nil
			for _, v := range d.list(e.value, "group_by") {
				name := d.text(v, "group_by")
				at := -1
				for i, have := range r.By {
					if have == name {
						at = i
					}
				}
				if at < 0 {
					d.fail(v, "group_by: %q is not in by%s", name, meant(name, r.By))
					continue
				}
				r.GroupBy = append(r.GroupBy, at)
			}
		}
	}
}

// exceptions reads `except`.
func (d *draft) exceptions(n ast.Node) {
	if n == nil {
		return
	}
	for _, item := range d.list(n, "except") {
		var x Exception
		var covers pred.Node
		has := make(map[string]bool)
		for _, e := range d.entries(item, "an exception", exceptionKeys) {
			has[e.key] = true
			switch e.key {
			case "when":
				src := d.expression(e.value, "the exception's when")
				if src == "" {
					continue
				}
				p, canon, err := compilePattern(src)
				if err == nil {
					err = d.lookUp(p)
				}
				if err != nil {
					d.failExpr(e.value, src, "except", err)
					continue
				}
				covers, x.When = p, canon
			case "reason":
				x.Reason = d.text(e.value, "reason")
			case "owner":
				x.Owner = d.text(e.value, "owner")
			case "expires":
				text := d.text(e.value, "expires")
				day, err := time.Parse(time.DateOnly, text)
				if err != nil {
					d.fail(e.value, "expires is a day, as in 2027-06-30, not %q", text)
					continue
				}
				x.Expires = day.AddDate(0, 0, 1).UnixNano() - 1
			}
		}
		for _, key := range []string{"when", "reason", "owner", "expires"} {
			if !has[key] {
				d.fail(item, "an exception needs %s: who may go by, why, and until when is what makes it one", key)
			}
		}
		if covers != nil {
			d.rule.Exceptions = append(d.rule.Exceptions, x)
			d.rule.matcher.exceptions = append(d.rule.matcher.exceptions, exception{covers, x.Expires})
		}
	}
}

// neededFields are the canonical fields that matches of r carry: those of its keys, counts and title, and those
// that name entities; its children's too.
func neededFields(r *Rule) []event.Field {
	seen := make(map[event.Field]bool)
	var out []event.Field
	add := func(fs ...event.Field) {
		for _, f := range fs {
			if !seen[f] {
				seen[f] = true
				out = append(out, f)
			}
		}
	}
	add(event.UserName, event.SourceIP, event.HostName, event.NamespaceName, event.PodName)
	add(r.matcher.fields...)
	for _, c := range r.Children {
		add(c.matcher.fields...)
	}
	return byName(out)
}
