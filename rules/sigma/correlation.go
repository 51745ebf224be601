// SPDX-License-Identifier: Apache-2.0

package sigma

import (
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"

	"tocsin/rules/pred"
)

// Correlation is a correlation rule (correlation specification 2.1.0).
type Correlation struct {
	Meta
	Type string
	// Rules are ids or names.
	Rules    []string
	GroupBy  []string
	Timespan time.Duration
	// Aliases give a field of GroupBy another name for each rule.
	Aliases  map[string]map[string]string
	Generate bool

	// Op compares with N: gte gt lte lt eq neq. It is "" where the condition has none.
	Op, N string
	// Fields are those of value_count and the other value_ types; Percentile is that of value_percentile.
	Fields     []string
	Percentile string
	// Extended is the condition over rules of a temporal correlation.
	Extended string
}

// Types are the types of correlations.
var Types = []string{
	"event_count", "value_count", "temporal", "temporal_ordered", "value_sum", "value_avg", "value_percentile", "value_median",
}

var comparisons = []string{"gte", "gt", "lte", "lt", "eq", "neq"}

// ReadCorrelation reads a correlation. The error is an [*Error].
func ReadCorrelation(doc *ast.MappingNode) (*Correlation, error) {
	ms, err := members(doc, "a Sigma correlation")
	if err != nil {
		return nil, err
	}
	c := &Correlation{Aliases: make(map[string]map[string]string)}
	if c.Meta, err = readMeta(doc, ms); err != nil {
		return nil, err
	}
	for _, m := range ms {
		switch m.key {
		case "correlation":
			if err := c.read(m); err != nil {
				return nil, err
			}
		case "detection", "filter":
			return nil, fail(m.at, "a correlation has no %s: write that as a document of its own, behind a line of ---", m.key)
		case "generate":
			if c.Generate, err = truth(m); err != nil {
				return nil, err
			}
		}
	}
	return c, nil
}

func truth(m member) (bool, error) {
	s, _ := text(m.value)
	if !strings.EqualFold(s, "true") && !strings.EqualFold(s, "false") {
		return false, fail(m.at, "%s is true or false, not %q", m.key, s)
	}
	return strings.EqualFold(s, "true"), nil
}

func (c *Correlation) read(block member) error {
	ms, err := members(block.value, "correlation")
	if err != nil {
		return err
	}
	at := make(map[string]ast.Node)
	for _, m := range ms {
		at[m.key] = m.at
		switch m.key {
		case "type":
			c.Type, _ = text(m.value)
			if !slices.Contains(Types, c.Type) {
				return fail(m.at, "unknown type %q%s", c.Type, meant(c.Type, Types))
			}
		case "rules":
			c.Rules, err = texts(m.value, "rules")
		case "group-by":
			c.GroupBy, err = texts(m.value, "group-by")
		case "timespan", "timeframe":
			s, _ := text(m.value)
			if c.Timespan, err = span(s); err != nil {
				err = fail(m.at, "%s: %v", m.key, err)
			}
		case "condition":
			err = c.condition(m)
		case "aliases":
			err = c.aliases(m)
		case "generate":
			c.Generate, err = truth(m)
		default:
			return fail(m.at, "unknown key %q%s", m.key, meant(m.key, []string{"type", "rules", "group-by", "timespan", "condition", "aliases", "generate"}))
		}
		if err != nil {
			return err
		}
	}
	switch {
	case c.Type == "":
		return fail(block.at, "the correlation has no type: %s", strings.Join(Types, ", "))
	case len(c.Rules) == 0 && c.Extended == "":
		return fail(block.at, "the correlation names no rules")
	case c.Timespan <= 0:
		return fail(block.at, "the correlation has no timespan, as in 10m")
	case strings.HasPrefix(c.Type, "value_") && len(c.Fields) == 0:
		return fail(block.at, "%s needs a field in its condition", c.Type)
	case !strings.HasPrefix(c.Type, "temporal") && c.Op == "":
		return fail(block.at, "%s needs a comparison in its condition, as in gte: 5", c.Type)
	case c.Type == "value_percentile" && c.Percentile == "":
		return fail(block.at, "value_percentile needs a percentile in its condition, as in percentile: 95")
	}
	return c.means(at)
}

func (c *Correlation) condition(m member) error {
	if s, ok := text(m.value); ok {
		if !strings.HasPrefix(c.Type, "temporal") && c.Type != "" {
			return fail(m.at, "a condition over rules is for temporal correlations")
		}
		c.Extended = s
		return nil
	}
	ms, err := members(m.value, "a condition")
	if err != nil {
		return err
	}
	for _, x := range ms {
		switch {
		case x.key == "field":
			if c.Fields, err = texts(x.value, "field"); err != nil {
				return err
			}
		case x.key == "percentile":
			c.Percentile, _ = text(x.value)
		case slices.Contains(comparisons, x.key):
			if c.Op != "" {
				return fail(x.at, "a condition has exactly one comparison, not %s and %s", c.Op, x.key)
			}
			c.Op = x.key
			c.N, _ = text(x.value)
			if _, err := strconv.ParseFloat(c.N, 64); err != nil {
				return fail(x.at, "%s is compared with a number, not %q", x.key, c.N)
			}
		default:
			return fail(x.at, "unknown key %q%s", x.key, meant(x.key, append([]string{"field", "percentile"}, comparisons...)))
		}
	}
	return nil
}

func (c *Correlation) aliases(m member) error {
	ms, err := members(m.value, "aliases")
	if err != nil {
		return err
	}
	for _, alias := range ms {
		by, err := members(alias.value, "an alias")
		if err != nil {
			return err
		}
		c.Aliases[alias.key] = make(map[string]string)
		for _, x := range by {
			s, ok := text(x.value)
			if !ok {
				return fail(x.at, "an alias names a field for each rule")
			}
			c.Aliases[alias.key][x.key] = s
		}
	}
	return nil
}

// Parse parses the extended condition over the names of rules; leaf is asked for each.
func (c *Correlation) Parse(names []string, leaf func(string) (pred.Node, error)) (pred.Node, error) {
	return parseCondition(c.Extended, names, leaf)
}

var errSpan = errors.New("a span is a whole number and s, m, h, d, w, M or y, up to a year")

var units = map[byte]time.Duration{
	's': time.Second, 'm': time.Minute, 'h': time.Hour, 'd': 24 * time.Hour, 'w': 7 * 24 * time.Hour, 'M': 30 * 24 * time.Hour, 'y': 365 * 24 * time.Hour,
}

// span reads a number and s, m, h, d, w, M (30 days) or y (365 days).
func span(s string) (time.Duration, error) {
	if s == "" {
		return 0, errSpan
	}
	n, err := strconv.ParseInt(s[:len(s)-1], 10, 32)
	unit := units[s[len(s)-1]]
	if err != nil || n <= 0 || unit == 0 || n > int64(366*24*time.Hour/unit) {
		return 0, errSpan
	}
	return time.Duration(n) * unit, nil
}

// Field is where a field is read of events of the rules that a correlation is over.
func Field(config *Config, name string, of ...*Rule) pred.Field {
	f := pred.Field{Name: name}
	for _, r := range of {
		for _, s := range (&reader{config: config, source: r.source}).field(name).Sources {
			if !slices.ContainsFunc(f.Sources, func(x pred.Source) bool { return x.Slot == s.Slot && slices.Equal(x.Path, s.Path) }) {
				f.Sources = append(f.Sources, s)
			}
		}
	}
	return f
}
