// SPDX-License-Identifier: Apache-2.0

package value

import (
	"iter"
	"math"
	"strconv"
)

// Kind is the type of a Value.
type Kind uint8

// The kinds. Numbers are Int where they are integers that fit into 64 bits with a sign, Uint above that, else Float
// (detection.md P3).
const (
	Missing Kind = iota
	Null
	Bool
	Int
	Uint
	Float
	String
	Array
	Object
)

// Value is one JSON value. The zero Value is missing. A Value that a [Doc] gave is valid until the Doc parses again.
type Value struct {
	kind Kind
	num  uint64 // of scalars their bits, of arrays and objects their node
	str  string
	doc  *Doc
}

// OfString returns a string.
func OfString(s string) Value { return Value{kind: String, str: s} }

// OfInt returns an integer.
func OfInt(n int64) Value { return Value{kind: Int, num: uint64(n)} }

// OfUint returns an integer; as an Int if it fits.
func OfUint(n uint64) Value {
	if n <= math.MaxInt64 {
		return OfInt(int64(n))
	}
	return Value{kind: Uint, num: n}
}

// OfFloat returns a number.
func OfFloat(f float64) Value { return Value{kind: Float, num: math.Float64bits(f)} }

// OfBool returns a truth value.
func OfBool(b bool) Value {
	if b {
		return Value{kind: Bool, num: 1}
	}
	return Value{kind: Bool}
}

// OfStrings returns an array.
func OfStrings(ss ...string) Value { return new(Doc).Strings(ss...) }

// OfMember returns an object of one string.
func OfMember(key, s string) Value {
	d := &Doc{nodes: []node{{kind: Object, end: 2}, {key: key, kind: String, str: s, end: 2}}}
	return d.value(&d.nodes[0])
}

// Strings adds an array to what the Doc holds.
func (d *Doc) Strings(ss ...string) Value {
	at := len(d.nodes)
	d.add("", Array, uint64(at), "")
	for _, s := range ss {
		d.add("", String, 0, s)
	}
	d.nodes[at].end = int32(len(d.nodes))
	return d.value(&d.nodes[at])
}

// Kind returns the value's kind.
func (v Value) Kind() Kind { return v.kind }

// Exists reports whether the value is there and not null: null is missing (detection.md K2).
func (v Value) Exists() bool { return v.kind > Null }

// Str returns a string; ok is false for any other kind.
func (v Value) Str() (s string, ok bool) { return v.str, v.kind == String }

// Int64 returns an Int.
func (v Value) Int64() (n int64, ok bool) { return int64(v.num), v.kind == Int }

// Uint64 returns a Uint, which no Int can hold.
func (v Value) Uint64() (n uint64, ok bool) { return v.num, v.kind == Uint }

// Float64 returns a Float.
func (v Value) Float64() (f float64, ok bool) {
	return math.Float64frombits(v.num), v.kind == Float
}

// Bool returns a truth value.
func (v Value) Bool() (b, ok bool) { return v.num != 0 && v.kind == Bool, v.kind == Bool }

// IsNumber reports whether the value is an Int, a Uint or a Float.
func (v Value) IsNumber() bool { return v.kind >= Int && v.kind <= Float }

// AppendText appends the text of a scalar: a string as it is, a number as Go prints it at its shortest. Of what is no
// scalar it appends nothing.
func (v Value) AppendText(dst []byte) []byte {
	switch v.kind {
	case Bool:
		return strconv.AppendBool(dst, v.num != 0)
	case Int:
		return strconv.AppendInt(dst, int64(v.num), 10)
	case Uint:
		return strconv.AppendUint(dst, v.num, 10)
	case Float:
		return strconv.AppendFloat(dst, math.Float64frombits(v.num), 'g', -1, 64)
	case String:
		return append(dst, v.str...)
	default:
		return dst
	}
}

// Text is AppendText as a string.
func (v Value) Text() string {
	if v.kind == String {
		return v.str
	}
	return string(v.AppendText(nil))
}

// Len returns the number of elements of an array or of members of an object, and 0 for anything else.
func (v Value) Len() (n int) {
	for range v.children() {
		n++
	}
	return n
}

// Get returns a member of an object; of what is no object, or has no such member, the missing Value.
func (v Value) Get(key string) Value {
	if v.kind != Object {
		return Value{}
	}
	for n := range v.children() {
		if n.key == key {
			return v.doc.value(n)
		}
	}
	return Value{}
}

// At returns an element of an array, from 0.
func (v Value) At(i int) Value {
	if v.kind != Array || i < 0 {
		return Value{}
	}
	for n := range v.children() {
		if i == 0 {
			return v.doc.value(n)
		}
		i--
	}
	return Value{}
}

// Path follows keys from object to object.
func (v Value) Path(keys ...string) Value {
	for _, k := range keys {
		v = v.Get(k)
	}
	return v
}

// Members yields the members of an object in their order; of what is no object it yields none. Of a key that stands
// twice it yields the last.
func (v Value) Members() iter.Seq2[string, Value] {
	return func(yield func(string, Value) bool) {
		if v.kind != Object {
			return
		}
		for n := range v.children() {
			if !yield(n.key, v.doc.value(n)) {
				return
			}
		}
	}
}

// Elements yields the elements of an array.
func (v Value) Elements() iter.Seq[Value] {
	return func(yield func(Value) bool) {
		if v.kind != Array {
			return
		}
		for n := range v.children() {
			if !yield(v.doc.value(n)) {
				return
			}
		}
	}
}

// children yields the nodes right below an array or object.
func (v Value) children() iter.Seq[*node] {
	return func(yield func(*node) bool) {
		if v.kind < Array {
			return
		}
		nodes := v.doc.nodes
		for i, end := int32(v.num)+1, nodes[v.num].end; i < end; i = nodes[i].end {
			if n := &nodes[i]; n.kind != Missing && !yield(n) {
				return
			}
		}
	}
}

// Any returns the value as Go's own types: nil, bool, int64, uint64, float64, string, []any or map[string]any. It
// shares strings with the Doc.
func (v Value) Any() any {
	switch v.kind {
	case Bool:
		return v.num != 0
	case Int:
		return int64(v.num)
	case Uint:
		return v.num
	case Float:
		return math.Float64frombits(v.num)
	case String:
		return v.str
	case Array:
		out := make([]any, 0, v.Len())
		for x := range v.Elements() {
			out = append(out, x.Any())
		}
		return out
	case Object:
		out := make(map[string]any, v.Len())
		for k, x := range v.Members() {
			out[k] = x.Any()
		}
		return out
	default:
		return nil
	}
}
