// SPDX-License-Identifier: Apache-2.0

package pred

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// key names what a field reads, however a rule wrote it.
func (f Field) key() string {
	if f.Everywhere {
		return "*"
	}
	if f.Const.Exists() {
		return "const " + strconv.Itoa(int(f.Const.Kind())) + strconv.Quote(f.Const.Text())
	}
	var b []byte
	for _, s := range f.Sources {
		b = append(s.appendKey(b), '|')
	}
	return string(b)
}

// appendKey appends what names the source: a canonical field, or the steps of a path.
func (s Source) appendKey(b []byte) []byte {
	if len(s.Path) == 0 {
		return append(b, s.Slot.Name()...)
	}
	for _, step := range s.Path {
		if step.Key != "" {
			b = strconv.AppendQuote(append(b, '.'), step.Key)
		} else {
			b = strconv.AppendInt(append(b, '#'), int64(step.Index), 10)
		}
	}
	return b
}

// key names what a test means: tests of one key are one test.
func (t *Test) key() string {
	var b strings.Builder
	b.WriteString(t.Field.key())
	fmt.Fprintf(&b, " %d %t %t %t %v %d %d", t.Op, t.Loose, t.Number, t.Fold, t.Nets, t.Part, t.Compare)
	if t.List != "" { // a name says as much as a million values
		fmt.Fprintf(&b, " list %q", t.List)
	} else {
		for _, s := range t.Texts {
			b.WriteString(" ")
			b.WriteString(strconv.Quote(s))
		}
	}
	for _, v := range t.Values {
		fmt.Fprintf(&b, " %d:%q", v.Kind(), v.Text())
	}
	for _, g := range t.Globs {
		b.WriteString(" glob ")
		b.WriteString(strconv.Quote(g.String()))
	}
	if t.Regexp != nil {
		fmt.Fprintf(&b, " re %q", t.Regexp)
	}
	if t.Other != nil {
		fmt.Fprintf(&b, " other %s %t", t.Other.key(), t.OtherNumber)
	}
	return b.String()
}

func sorted[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
