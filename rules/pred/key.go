// SPDX-License-Identifier: Apache-2.0

package pred

import (
	"encoding/binary"
	"maps"
	"slices"
)

// Keys are bytes: every text and every list in them begins with its length, so that no two meanings run together.

// key names what a field reads, however a rule wrote it.
func (f Field) key() string { return string(f.appendKey(nil)) }

func (f Field) appendKey(b []byte) []byte {
	switch {
	case f.Everywhere:
		return append(b, '*')
	case f.Const.Exists():
		return appendText(append(b, 'c', byte(f.Const.Kind())), f.Const.Text())
	}
	b = appendLen(append(b, 'f'), len(f.Sources))
	for _, s := range f.Sources {
		b = s.appendKey(b)
	}
	return b
}

// appendKey appends what names the source: a canonical field, or the steps of a path.
func (s Source) appendKey(b []byte) []byte {
	b = appendLen(b, len(s.Path))
	if len(s.Path) == 0 {
		return appendText(b, s.Slot.Name())
	}
	for _, step := range s.Path {
		if b = appendText(b, step.Key); step.Key == "" {
			b = appendLen(b, step.Index)
		}
	}
	return b
}

// key names what a test means: tests of one key are one test. How far it reads is not part of it: that is of the Set
// ([Ration]).
func (t *Test) key() string { return string(t.appendKey(nil)) }

func (t *Test) appendKey(b []byte) []byte {
	b = t.Field.appendKey(b)
	b = append(b, byte(t.Op), flag(t.Loose), flag(t.Number), flag(t.Fold), byte(t.Part), byte(t.Compare))
	if b = appendText(b, t.List); t.List == "" { // a name says as much as a million values
		b = appendTexts(b, t.Texts)
	}
	b = appendLen(b, len(t.Values))
	for _, v := range t.Values {
		b = appendText(append(b, byte(v.Kind())), v.Text())
	}
	b = appendLen(b, len(t.Globs))
	for _, g := range t.Globs {
		b = appendText(b, g.String())
	}
	b = appendLen(b, len(t.Nets))
	for _, n := range t.Nets {
		b = appendText(b, n.String())
	}
	if b = append(b, flag(t.Regexp != nil)); t.Regexp != nil {
		b = appendText(b, t.Regexp.String())
	}
	if b = append(b, flag(t.Other != nil)); t.Other != nil {
		b = append(t.Other.appendKey(b), flag(t.OtherNumber))
	}
	return b
}

func appendTexts(b []byte, texts []string) []byte {
	b = appendLen(b, len(texts))
	for _, s := range texts {
		b = appendText(b, s)
	}
	return b
}

func appendText(b []byte, s string) []byte { return append(appendLen(b, len(s)), s...) }

func appendLen(b []byte, n int) []byte { return binary.AppendUvarint(b, uint64(n)) }

func flag(set bool) byte {
	if set {
		return 1
	}
	return 0
}

func sorted[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
