// SPDX-License-Identifier: Apache-2.0

package alert

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Matcher is one condition on a label, in Alertmanager's words: name, one of = != =~ !~, and a value. A label may have
// several values here: = and =~ hold if any of them does, != and !~ if none does. A label that is not there is "".
type Matcher struct {
	Name, Op, Value string
	re              *regexp.Regexp
}

// Matchers hold if all of them do.
type Matchers []Matcher

const (
	maxMatchers = 32
	maxMatcher  = 1024
)

// ParseMatchers reads each of some texts as one matcher.
func ParseMatchers(texts []string) (Matchers, error) {
	if len(texts) > maxMatchers {
		return nil, fmt.Errorf("at most %d matchers, not %d", maxMatchers, len(texts))
	}
	out := make(Matchers, 0, len(texts))
	for _, text := range texts {
		m, err := ParseMatcher(text)
		if err != nil {
			return nil, err
		}
		out = append(out, m)
	}
	return out, nil
}

// ParseMatcher reads a matcher: severity=~"high|critical", rule != shell. A value without quotes has no blanks, quotes or commas. A regular
// expression has to match the whole value.
func ParseMatcher(text string) (Matcher, error) {
	bad := func(format string, args ...any) (Matcher, error) {
		return Matcher{}, fmt.Errorf("%q is no matcher: %s", ellipsis(text, 100), fmt.Sprintf(format, args...))
	}
	if len(text) > maxMatcher {
		return bad("it has more than %d bytes", maxMatcher)
	}
	i := strings.IndexAny(text, "=!")
	if i < 0 {
		return bad(`write name="value", with =, !=, =~ or !~`)
	}
	m := Matcher{Name: strings.TrimSpace(text[:i])}
	rest := text[i:]
	for _, op := range []string{"=~", "!~", "!=", "="} {
		if after, ok := strings.CutPrefix(rest, op); ok {
			m.Op, rest = op, strings.TrimSpace(after)
			break
		}
	}
	if m.Op == "" {
		return bad("the operators are =, !=, =~ and !~")
	}
	if !regexp.MustCompile(`^[a-z][a-z0-9_.]{0,63}$`).MatchString(m.Name) {
		return bad("%q is no name of a label: lower-case letters, digits, _ and full stops", ellipsis(m.Name, 64))
	}
	if !slices.Contains(labelNames(), m.Name) {
		return bad("there is no label %q: they are %s", m.Name, strings.Join(labelNames(), ", "))
	}
	switch {
	case strings.HasPrefix(rest, `"`):
		v, err := strconv.Unquote(rest)
		if err != nil {
			return bad(`what follows the first " is no quoted text`)
		}
		m.Value = v
	case strings.ContainsAny(rest, "\"',{} \t\r\n"):
		return bad("a value with blanks, quotes, commas or braces stands in double quotes")
	default:
		m.Value = rest
	}
	if strings.HasSuffix(m.Op, "~") {
		re, err := regexp.Compile("^(?s:" + m.Value + ")$")
		if err != nil {
			return bad("%v", err)
		}
		m.re = re
	}
	return m, nil
}

// String writes a matcher as [ParseMatcher] reads it.
func (m Matcher) String() string { return m.Name + m.Op + strconv.Quote(m.Value) }

// Texts writes matchers as [ParseMatchers] reads them.
func (ms Matchers) Texts() []string {
	out := make([]string, len(ms))
	for i, m := range ms {
		out[i] = m.String()
	}
	return out
}

// Matches reports whether the labels are what the matcher wants.
func (m Matcher) Matches(l LabelSet) bool {
	values := l[m.Name]
	if len(values) == 0 {
		values = []string{""}
	}
	some := slices.ContainsFunc(values, func(v string) bool {
		if m.re != nil {
			return m.re.MatchString(v)
		}
		return v == m.Value
	})
	return some != strings.HasPrefix(m.Op, "!")
}

// Matches reports whether all hold.
func (ms Matchers) Matches(l LabelSet) bool {
	for _, m := range ms {
		if !m.Matches(l) {
			return false
		}
	}
	return true
}

// matchesNothing reports whether matchers hold for an incident without labels, and so for all that say nothing of these: one that
// silences by them would silence everything.
func (ms Matchers) matchesNothing() bool { return ms.Matches(LabelSet{}) }
