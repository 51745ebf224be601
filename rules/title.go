// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"fmt"
	"strings"

	"tocsin/event"
)

// template is a text with ${field} in it.
type template struct {
	parts []string // text and field names in turn
}

func parseTemplate(s string) (*template, []event.Field, error) {
	t := &template{}
	var fields []event.Field
	for {
		before, rest, ok := strings.Cut(s, "${")
		t.parts = append(t.parts, before)
		if !ok {
			return t, fields, nil
		}
		name, after, ok := strings.Cut(rest, "}")
		if !ok {
			return nil, nil, fmt.Errorf("${%s has no closing brace", rest)
		}
		o, err := fieldByName(name)
		if err != nil {
			return nil, nil, err
		}
		if !o.named {
			return nil, nil, fmt.Errorf("${%s}: a title has canonical fields only", name)
		}
		t.parts = append(t.parts, name)
		fields = append(fields, o.slot)
		s = after
	}
}

// render fills in the fields; a missing one is a dash.
func (t *template) render(fields map[string]any) string {
	var b strings.Builder
	for i, p := range t.parts {
		if i%2 == 0 {
			b.WriteString(p)
			continue
		}
		v, ok := fields[p]
		if !ok || v == nil {
			b.WriteString("-")
			continue
		}
		if xs, ok := v.([]any); ok {
			for j, x := range xs {
				if j > 0 {
					b.WriteString(", ")
				}
				fmt.Fprint(&b, x)
			}
			continue
		}
		fmt.Fprint(&b, v)
	}
	return b.String()
}
