// SPDX-License-Identifier: Apache-2.0

package auth

import (
	"slices"
	"strings"
)

// claim finds a claim by its name, else by the names on the way to it, joined by dots: realm_access.roles. A name with dots
// of its own, such as https://example.org/roles, is found as it stands.
func claim(claims map[string]any, path string) (any, bool) {
	if v, ok := claims[path]; ok {
		return v, true
	}
	for i := range path {
		if path[i] != '.' {
			continue
		}
		if inner, ok := claims[path[:i]].(map[string]any); ok {
			if v, ok := claim(inner, path[i+1:]); ok {
				return v, true
			}
		}
	}
	return nil, false
}

// texts returns the texts of a claim: a list's, or those that blanks divide. What is no text is left out.
func texts(v any) []string {
	switch v := v.(type) {
	case string:
		return strings.Fields(v)
	case []any:
		out := make([]string, 0, len(v))
		for _, x := range v {
			if s, ok := x.(string); ok {
				out = append(out, s)
			}
		}
		return out
	}
	return nil
}

// Mapping turns claims into rights.
type Mapping struct {
	// Name are claims that have the person's name; the first that is there counts, and sub if none is.
	Name []string
	// Roles are claims that have roles of the provider's.
	Roles []string
	// Map has a role of ours for each of the provider's. What is not in it grants nothing.
	Map map[string]string
	// Scope is a claim with texts as [incident.ParseScope] reads them; "" if nobody is bounded. Who lacks it sees nothing.
	Scope string
}

// roles returns the roles that claims grant, each once.
func (m Mapping) roles(claims map[string]any) []string {
	out := []string{}
	for _, path := range m.Roles {
		v, _ := claim(claims, path)
		for _, theirs := range texts(v) {
			if ours := m.Map[theirs]; ours != "" && !slices.Contains(out, ours) {
				out = append(out, ours)
			}
		}
	}
	return out
}

// scope returns the texts of a scope: nil for everything, empty for nothing.
func (m Mapping) scope(claims map[string]any) []string {
	if m.Scope == "" {
		return nil
	}
	v, _ := claim(claims, m.Scope)
	return append([]string{}, texts(v)...)
}

// name returns what a person is known by: the first of the claims that any of some claims have, else the subject.
func (m Mapping) name(all ...map[string]any) string {
	for _, path := range append(slices.Clone(m.Name), "sub") {
		for _, claims := range all {
			v, _ := claim(claims, path)
			if s, ok := v.(string); ok && strings.TrimSpace(s) != "" {
				return cleanName(s)
			}
		}
	}
	return ""
}

// cleanName takes out of a name what could make it look like another's: control characters, and the prefix of tokens.
func cleanName(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f && r < 0xa0 {
			return -1
		}
		return r
	}, s)
	if len(s) > 200 {
		s = strings.ToValidUTF8(s[:200], "")
	}
	if s == "admin" || strings.HasPrefix(s, "token:") {
		s = "oidc:" + s
	}
	return s
}
