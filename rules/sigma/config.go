// SPDX-License-Identifier: Apache-2.0

package sigma

import (
	_ "embed"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"

	"tocsin/rules/pred"
)

// Settings are the log sources, field mappings and placeholders that come with the program.
//
//go:embed logsources.yml
var settings []byte

// Config says what Sigma rules mean on the sources at hand (detection.md S3, S4). It does not change once it is made.
type Config struct {
	sources      []*logsource
	placeholders map[string][]string

	mu    sync.Mutex
	found map[string]*logsource // by what a rule says
}

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

// Default returns what comes with the program.
func Default() (*Config, error) { return NewConfig(nil) }

// NewConfig reads more settings, which go before those that come with the program.
func NewConfig(more map[string][]byte) (*Config, error) {
	c := &Config{placeholders: make(map[string][]string), found: make(map[string]*logsource)}
	if err := c.add("logsources.yml", settings); err != nil {
		return nil, err
	}
	names := make([]string, 0, len(more))
	for name := range more {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		if err := c.add(name, more[name]); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// add reads one file of settings.
func (c *Config) add(name string, data []byte) error {
	f, err := parser.ParseBytes(data, 0)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	var found []*logsource
	for _, doc := range f.Docs {
		if doc.Body == nil {
			continue
		}
		ms, err := members(doc.Body, "a file of Sigma settings")
		if err != nil {
			return at(name, err)
		}
		for _, m := range ms {
			switch m.key {
			case "logsources":
				for _, x := range list(m.value) {
					s, err := c.logsource(x)
					if err != nil {
						return at(name, err)
					}
					found = append(found, s)
				}
			case "placeholders":
				if err := c.readPlaceholders(m.value); err != nil {
					return at(name, err)
				}
			default:
				return at(name, fail(m.at, "unknown key %q%s", m.key, meant(m.key, []string{"logsources", "placeholders"})))
			}
		}
	}
	c.sources = append(found, c.sources...)
	return nil
}

func at(name string, err error) error {
	if e, ok := err.(*Error); ok { //nolint:errorlint // it comes from this package, as it is
		return fmt.Errorf("%s:%d: %w", name, e.Line, err)
	}
	return fmt.Errorf("%s: %w", name, err)
}

func (c *Config) readPlaceholders(n ast.Node) error {
	ms, err := members(n, "placeholders")
	if err != nil {
		return err
	}
	for _, m := range ms {
		values, err := texts(m.value, "a placeholder")
		if err != nil {
			return err
		}
		c.placeholders[strings.ToLower(m.key)] = values
	}
	return nil
}

func (c *Config) placeholder(name string) ([]string, bool) {
	v, ok := c.placeholders[strings.ToLower(name)]
	return v, ok
}

// logsource reads one entry. Its gate is written as the selections of a rule are.
func (c *Config) logsource(n ast.Node) (*logsource, error) {
	ms, err := members(n, "a log source")
	if err != nil {
		return nil, err
	}
	s := &logsource{fields: make(map[string][]string)}
	for _, m := range ms {
		to := map[string]*string{"product": &s.product, "service": &s.service}[m.key]
		switch {
		case to != nil:
			*to, _ = text(m.value)
		case m.key == "category":
			if s.category, err = texts(m.value, "category"); err != nil {
				return nil, err
			}
		case m.key == "when":
			s.when = m.value
		case m.key == "unless":
			s.unless = m.value
		case m.key == "under":
			if s.under, err = texts(m.value, "under"); err != nil {
				return nil, err
			}
		case m.key == "fields":
			fs, err := members(m.value, "fields")
			if err != nil {
				return nil, err
			}
			for _, f := range fs {
				if s.fields[f.key], err = texts(f.value, "a field's other names"); err != nil {
					return nil, err
				}
			}
		default:
			return nil, fail(m.at, "unknown key %q%s", m.key, meant(m.key, []string{"product", "category", "service", "when", "unless", "under", "fields"}))
		}
	}
	return s, nil
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
	r := &reader{config: c, source: all}
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

// fits reports whether an entry says nothing that the rule does not, and how much it says.
func (s *logsource) fits(want map[string]string) (said int, fits bool) {
	if len(s.category) > 0 {
		if !slices.Contains(s.category, want["category"]) {
			return 0, false
		}
		said++
	}
	for key, v := range map[string]string{"product": s.product, "service": s.service} {
		if v == "" {
			continue
		}
		if v != want[key] {
			return 0, false
		}
		said++
	}
	return said, true
}
