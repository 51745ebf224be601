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
)

// Settings are the log sources, field mappings and placeholders that come with the program.
//
//go:embed logsources.yml
var settings []byte

// Config says what Sigma rules mean on the sources at hand (detection.md S3, S4). It does not change once it is made.
type Config struct {
	sources      []*logsource
	placeholders map[string][]string
	// guessed are the placeholders that only the program defines: what they stand for is a guess.
	guessed map[string]bool

	mu    sync.Mutex
	found map[string]*logsource // by what a rule says
}

// Default returns what comes with the program.
func Default() (*Config, error) { return NewConfig(nil) }

// NewConfig reads more settings, which go before those that come with the program.
func NewConfig(more map[string][]byte) (*Config, error) {
	c := &Config{placeholders: make(map[string][]string), guessed: make(map[string]bool), found: make(map[string]*logsource)}
	if err := c.add("logsources.yml", settings); err != nil {
		return nil, err
	}
	for name := range c.placeholders {
		c.guessed[name] = true
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

// add reads the settings of one file, which may have rules, too.
func (c *Config) add(name string, data []byte) error {
	f, err := parser.ParseBytes(data, 0)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	var found []*logsource
	for _, doc := range f.Docs {
		if m, ok := doc.Body.(*ast.MappingNode); doc.Body == nil || ok && KindOf(m) != SettingsKind {
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
		delete(c.guessed, strings.ToLower(m.key))
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
