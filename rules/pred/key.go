// SPDX-License-Identifier: Apache-2.0

package pred

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// key names what a field reads, however a rule wrote it.
func (f Field) key() string {
	if f.Everywhere {
		return "*"
	}
	if f.Const.Exists() {
		return fmt.Sprintf("const %d %q", f.Const.Kind(), f.Const.Text())
	}
	var b strings.Builder
	for _, s := range f.Sources {
		b.WriteString(s.key())
		b.WriteByte('|')
	}
	return b.String()
}

func (s Source) key() string {
	if len(s.Path) == 0 {
		return s.Slot.Name()
	}
	return fmt.Sprintf("%#v", s.Path)
}

// key names what a test means: tests of one key are one test.
func (t *Test) key() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %d %t %t %t %q %v %d %d", t.Field.key(), t.Op, t.Loose, t.Number, t.Fold, t.Texts, t.Nets, t.Part, t.Compare)
	for _, v := range t.Values {
		fmt.Fprintf(&b, " %d:%q", v.Kind(), v.Text())
	}
	for _, g := range t.Globs {
		fmt.Fprintf(&b, " %v", g.Chunks)
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
