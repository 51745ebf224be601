// SPDX-License-Identifier: Apache-2.0

package sigma

import (
	"fmt"
	"slices"
	"strings"

	"github.com/goccy/go-yaml/ast"

	"tocsin/rules/pred"
)

// logsource is one entry: rules whose log source has at least what the entry has are its.
type logsource struct {
	product, service string
	// category has one of several, or none.
	category     []string
	when, unless ast.Node
	gate         pred.Node
	// fields are other names of fields, under the objects beneath which the source's own fields may stand.
	fields map[string][]string
	under  []string
}

// find returns what the settings say of a log source, nil if no entry fits. Of those whose product, category and service
// are the rule's or not said, the one that says most has the gate, and of equal ones the first; fields are of all.
func (c *Config) find(want map[string]string, name string) (*logsource, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if found, ok := c.found[name]; ok {
		return found, nil
	}
	found, err := c.merge(want)
	if err != nil {
		return nil, err
	}
	c.found[name] = found
	return found, nil
}

// logsourceOf reads the log source of a document, in lower case, and names it.
func logsourceOf(n ast.Node) (want map[string]string, name string, err error) {
	ms, err := members(n, "logsource")
	if err != nil {
		return nil, "", err
	}
	want = make(map[string]string)
	var words []string
	for _, m := range ms {
		switch m.key {
		case "product", "category", "service":
			s, _ := text(m.value)
			want[m.key] = strings.ToLower(strings.TrimSpace(s))
			words = append(words, m.key+"="+want[m.key])
		}
	}
	slices.Sort(words)
	return want, strings.Join(words, ", "), nil
}

// merge joins the entries that fit. One that says nothing of a product or service that the rule does not either is about
// more than one; where there are only such that say more, the log source is any of theirs.
func (c *Config) merge(want map[string]string) (*logsource, error) {
	all := &logsource{fields: make(map[string][]string)}
	var fitting []*logsource
	most := -1
	for _, s := range c.sources {
		said, fits := s.fits(want)
		if !fits {
			continue
		}
		all.take(s)
		if said > most {
			fitting, most = nil, said
		}
		// Of entries that say the same the first counts: one's own goes before what comes with the program.
		if said == most && !slices.ContainsFunc(fitting, s.saysAs) {
			fitting = append(fitting, s)
		}
	}
	if len(fitting) == 0 {
		return c.narrower(want)
	}
	r := &reader{config: c, source: all, gate: true}
	var gate pred.And
	for _, s := range fitting {
		if s.when == nil {
			continue
		}
		n, err := r.selection(s.when)
		if err != nil {
			return nil, err
		}
		gate = append(gate, n)
	}
	if all.unless != nil {
		n, err := r.selection(all.unless)
		if err != nil {
			return nil, err
		}
		gate = append(gate, pred.Not{X: n})
	}
	if len(gate) > 0 {
		all.gate = gate
	}
	return all, nil
}

// narrower joins the log sources that say more than a rule does, as a category of each product that has it; nil if there
// is none.
func (c *Config) narrower(want map[string]string) (*logsource, error) {
	all := &logsource{fields: make(map[string][]string)}
	var gate pred.Or
	seen := make(map[string]bool)
	for _, s := range c.sources {
		said := map[string]string{"product": s.product, "service": s.service}
		if slices.Contains(s.category, want["category"]) {
			said["category"] = want["category"]
		}
		says := func(key string) bool { return want[key] == "" || want[key] == said[key] }
		if len(want) == 0 || !says("product") || !says("category") || !says("service") {
			continue
		}
		key := fmt.Sprint(said)
		if seen[key] {
			continue
		}
		seen[key] = true
		one, err := c.merge(said)
		if err != nil {
			return nil, err
		}
		all.take(one)
		if one.gate == nil {
			one.gate = pred.Const(true)
		}
		gate = append(gate, one.gate)
	}
	if len(gate) == 0 {
		return nil, nil
	}
	all.unless, all.gate = nil, gate
	return all, nil
}

// take adds what an entry says of fields, and what it leaves out.
func (s *logsource) take(from *logsource) {
	for name, others := range from.fields {
		s.fields[name] = append(s.fields[name], others...)
	}
	s.under = append(s.under, from.under...)
	if s.unless == nil {
		s.unless = from.unless
	}
}

// saysAs reports whether two entries that fit one rule say the same of it.
func (s *logsource) saysAs(other *logsource) bool {
	return s.product == other.product && s.service == other.service && (len(s.category) > 0) == (len(other.category) > 0)
}

// fits reports whether an entry says nothing that the rule does not, and how much it says. Whose logs they are says more
// than what they are of: a canary's log that is of the category application need not look like that of an application.
func (s *logsource) fits(want map[string]string) (said int, fits bool) {
	if len(s.category) > 0 {
		if !slices.Contains(s.category, want["category"]) {
			return 0, false
		}
		said++
	}
	alone := said
	for key, v := range map[string]string{"product": s.product, "service": s.service} {
		if v == "" {
			continue
		}
		if v != want[key] {
			return 0, false
		}
		said += 2
	}
	if said > alone {
		said += alone // a category beside a product says as much as a service beside it
	}
	return said, true
}
