// SPDX-License-Identifier: Apache-2.0

package alert

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"text/template"
	"unicode/utf8"

	"tocsin/event"
	"tocsin/incident"
)

// functions are what templates may call besides text/template's own; docs/alerts.md lists them. Those that Alertmanager has
// have its names.
func functions() template.FuncMap {
	return template.FuncMap{
		"toUpper":   func(v any) string { return strings.ToUpper(show(v)) },
		"toLower":   func(v any) string { return strings.ToLower(show(v)) },
		"trimSpace": func(v any) string { return strings.TrimSpace(show(v)) },
		"join":      func(sep string, v any) string { return strings.Join(list(v), sep) },
		"match":     regexp.MatchString,
		"reReplaceAll": func(pattern, with, in string) (string, error) {
			re, err := regexp.Compile(pattern)
			if err != nil {
				return "", err
			}
			return re.ReplaceAllString(in, with), nil
		},
		"toJson": func(v any) (string, error) {
			b, err := json.Marshal(v)
			return string(b), err
		},
		"cut":      func(n int, v any) string { return ellipsis(show(v), n) },
		"entities": func(a about) string { return strings.Join(list(a.Entities), ", ") },
		"plural": func(n int64, one, many string) string {
			if n == 1 {
				return "1 " + one
			}
			return fmt.Sprintf("%d %s", n, many)
		},
	}
}

// show prints a value for people: what is not there as nothing.
func show(v any) string {
	switch x := v.(type) {
	case nil:
		return ""
	case string:
		return x
	case *string:
		if x == nil {
			return ""
		}
		return *x
	case *incident.Verdict:
		if x == nil {
			return ""
		}
		return string(*x)
	case event.Stamp:
		if x == 0 {
			return ""
		}
		return x.String()
	case incident.Entity:
		return x.Type + " " + x.Name
	case []string, []incident.Entity:
		return strings.Join(list(x), ", ")
	}
	return fmt.Sprint(v)
}

// list prints each part of a list.
func list(v any) []string {
	var out []string
	switch x := v.(type) {
	case []string:
		return x
	case []incident.Entity:
		for _, e := range x {
			out = append(out, show(e))
		}
	case nil:
	default:
		out = []string{show(v)}
	}
	return out
}

// ellipsis returns at most n runes of s, the last of which says that there was more.
func ellipsis(s string, n int) string {
	if utf8.RuneCountInString(s) <= n {
		return s
	}
	runes := []rune(s)
	return string(runes[:max(n-1, 0)]) + "…"
}
