// SPDX-License-Identifier: Apache-2.0

package lokitest

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Loki's default limits.
const (
	maxLabels     = 15
	maxLabelName  = 1024
	maxLabelValue = 2048
	maxLine       = 256 << 10
	maxMetadata   = 64 << 10
	maxPairs      = 128
)

// ParseLabels reads labels as a stream has them: {name="value", other="value"}, sorted by name, each once and none
// empty. Loki itself would take them in any order, but senders of one stream had better agree.
func ParseLabels(s string) ([]Pair, error) {
	rest, ok := strings.CutPrefix(s, "{")
	if !ok {
		return nil, fmt.Errorf("labels %q have no brace", s)
	}
	var out []Pair
	for {
		name, after, ok := strings.Cut(rest, "=")
		if !ok {
			return nil, fmt.Errorf("labels %q: no = after %q", s, name)
		}
		quoted, err := strconv.QuotedPrefix(after)
		if err != nil || quoted[0] != '"' {
			return nil, fmt.Errorf("label %s has no quoted value", name)
		}
		value, err := strconv.Unquote(quoted)
		if err != nil {
			return nil, fmt.Errorf("label %s: %w", name, err)
		}
		out = append(out, Pair{name, value})
		rest = after[len(quoted):]
		if rest == "}" {
			break
		}
		if rest, ok = strings.CutPrefix(rest, ", "); !ok {
			return nil, fmt.Errorf("labels %q: no comma and blank after %s", s, name)
		}
	}
	if err := checkLabels(out); err != nil {
		return nil, err
	}
	if again := PrintLabels(out); again != s {
		return nil, fmt.Errorf("labels %q are spelled %q", s, again)
	}
	return out, nil
}

// PrintLabels is the one spelling that ParseLabels takes.
func PrintLabels(ls []Pair) string {
	parts := make([]string, len(ls))
	for i, l := range ls {
		parts[i] = l.Name + "=" + strconv.Quote(l.Value)
	}
	return "{" + strings.Join(parts, ", ") + "}"
}

func checkLabels(ls []Pair) error {
	if len(ls) == 0 || len(ls) > maxLabels {
		return fmt.Errorf("a stream has 1 to %d labels, not %d", maxLabels, len(ls))
	}
	if err := checkPairs(ls); err != nil {
		return fmt.Errorf("labels: %w", err)
	}
	for _, l := range ls {
		if len(l.Name) > maxLabelName || len(l.Value) > maxLabelValue {
			return fmt.Errorf("label %.40q is too long", l.Name)
		}
	}
	return nil
}

// checkPairs says whether pairs are sorted, each name is there once and is one, and no value is empty.
func checkPairs(ps []Pair) error {
	name := regexp.MustCompile(`^[a-zA-Z_][a-zA-Z0-9_]*$`)
	for i, p := range ps {
		switch {
		case !name.MatchString(p.Name) || strings.HasPrefix(p.Name, "__"):
			return fmt.Errorf("%q is no name", p.Name)
		case i > 0 && ps[i-1].Name >= p.Name:
			return fmt.Errorf("%s is not after %s", p.Name, ps[i-1].Name)
		case p.Value == "":
			return fmt.Errorf("%s is empty", p.Name)
		case !utf8.ValidString(p.Value):
			return fmt.Errorf("%s is not UTF-8", p.Name)
		}
	}
	return nil
}

// checkPush says what Loki, or a careful reader, would find wrong with a push.
func checkPush(p Push) error {
	if len(p.Streams) == 0 {
		return errors.New("a push without streams")
	}
	for _, s := range p.Streams {
		if err := checkLabels(s.Labels); err != nil {
			return err
		}
		if len(s.Entries) == 0 {
			return errors.New("a stream without entries")
		}
		for i, e := range s.Entries {
			size := 0
			for _, m := range e.Metadata {
				size += len(m.Name) + len(m.Value)
			}
			switch {
			case e.Line == "" || len(e.Line) > maxLine || strings.Contains(e.Line, "\n"):
				return fmt.Errorf("a line of %d bytes, or one that is several", len(e.Line))
			case size > maxMetadata || len(e.Metadata) > maxPairs:
				return fmt.Errorf("%d pairs of structured metadata of %d bytes", len(e.Metadata), size)
			case i > 0 && e.Time.Before(s.Entries[i-1].Time):
				return errors.New("entries of one push go back in time")
			}
			if err := checkPairs(e.Metadata); err != nil {
				return fmt.Errorf("structured metadata: %w", err)
			}
		}
	}
	return nil
}
