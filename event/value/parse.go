// SPDX-License-Identifier: Apache-2.0

package value

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"unicode/utf8"
	"unsafe"
)

// MaxDepth bounds the nesting of a Record.
const MaxDepth = 64

// ErrDepth says that a Record is nested deeper than MaxDepth.
var ErrDepth = fmt.Errorf("nested deeper than %d", MaxDepth)

// maxSize keeps node numbers within 32 bits: no value is shorter than a byte.
const maxSize = math.MaxInt32

// SyntaxError says where bytes are no JSON, and why.
type SyntaxError struct {
	// Offset counts bytes from 0.
	Offset int
	Reason string
}

func (e *SyntaxError) Error() string { return fmt.Sprintf("byte %d: %s", e.Offset, e.Reason) }

// Doc is one parsed JSON text.
type Doc struct {
	nodes []node
	// text holds the strings that had escapes. It grows by whole blocks, so that strings stay where they are.
	text []byte
	src  []byte
	pos  int
	err  error
}

// node is one value; those below an array or object follow it, up to end.
type node struct {
	key  string
	str  string
	num  uint64
	end  int32
	kind Kind // Missing: a later member has the same key
}

func (d *Doc) value(n *node) Value {
	return Value{kind: n.kind, num: n.num, str: n.str, doc: d}
}

// Parse reads one JSON value (RFC 8259): exactly one, with nothing but space around it. Of a key that stands twice the
// last counts; bytes that are no UTF-8 become U+FFFD, as do lone surrogates; a number beyond what a float can hold
// is kept as the string that it was written as. The Value refers to src, which must not change, and is valid until
// the next Parse. Errors are [*SyntaxError] and [ErrDepth].
func (d *Doc) Parse(src []byte) (Value, error) {
	d.Reset()
	d.src, d.pos, d.err = src, 0, nil
	if len(src) > maxSize {
		return Value{}, errors.New("longer than 2 GiB")
	}
	d.space()
	if d.any("", 0) {
		if d.space(); d.pos < len(src) {
			d.fail("more after the JSON value")
		}
	}
	d.src = nil
	if d.err != nil {
		return Value{}, d.err
	}
	return d.value(&d.nodes[0]), nil
}

// Reset empties the Doc; its Values are no longer valid.
func (d *Doc) Reset() { d.nodes, d.text = d.nodes[:0], d.text[:0] }

// Parse is [Doc.Parse] with a Doc of its own.
func Parse(src []byte) (Value, error) { return new(Doc).Parse(src) }

func (d *Doc) fail(reason string) bool {
	if d.err == nil {
		d.err = &SyntaxError{d.pos, reason}
	}
	return false
}

func (d *Doc) space() {
	for d.pos < len(d.src) {
		switch d.src[d.pos] {
		case ' ', '\t', '\n', '\r':
			d.pos++
		default:
			return
		}
	}
}

// add appends a scalar.
func (d *Doc) add(key string, kind Kind, num uint64, str string) bool {
	d.nodes = append(d.nodes, node{key, str, num, int32(len(d.nodes) + 1), kind})
	return true
}

func (d *Doc) any(key string, depth int) bool {
	if d.pos >= len(d.src) {
		return d.fail("the JSON value ends too early")
	}
	switch c := d.src[d.pos]; c {
	case '{':
		return d.object(key, depth+1)
	case '[':
		return d.array(key, depth+1)
	case '"':
		s, ok := d.string()
		return ok && d.add(key, String, 0, s)
	case 't':
		return d.word("true") && d.add(key, Bool, 1, "")
	case 'f':
		return d.word("false") && d.add(key, Bool, 0, "")
	case 'n':
		return d.word("null") && d.add(key, Null, 0, "")
	default:
		if c == '-' || c >= '0' && c <= '9' {
			return d.number(key)
		}
		return d.fail(fmt.Sprintf("a value cannot begin with %q", rune(c)))
	}
}

func (d *Doc) word(w string) bool {
	if len(d.src)-d.pos < len(w) || string(d.src[d.pos:d.pos+len(w)]) != w {
		return d.fail("a value is " + w + ", or something else")
	}
	d.pos += len(w)
	return true
}

// open begins an array or object and returns its node.
func (d *Doc) open(key string, kind Kind, depth int) (int, bool) {
	if depth > MaxDepth {
		if d.err == nil {
			d.err = ErrDepth
		}
		return 0, false
	}
	at := len(d.nodes)
	d.add(key, kind, uint64(at), "")
	d.pos++
	d.space()
	return at, true
}

// more reads what stands between two children: it reports whether another follows, and whether that is so at all.
func (d *Doc) more(end byte) (next, ok bool) {
	d.space()
	if d.pos >= len(d.src) {
		return false, d.fail("the JSON value ends too early")
	}
	switch d.src[d.pos] {
	case ',':
		d.pos++
		d.space()
		return true, true
	case end:
		d.pos++
		return false, true
	}
	return false, d.fail(fmt.Sprintf("here is neither , nor %c", end))
}

func (d *Doc) at(c byte) bool { return d.pos < len(d.src) && d.src[d.pos] == c }

func (d *Doc) array(key string, depth int) bool {
	at, ok := d.open(key, Array, depth)
	if !ok {
		return false
	}
	if d.at(']') {
		d.pos++
		return true
	}
	for next := true; next; {
		if !d.any("", depth) {
			return false
		}
		if next, ok = d.more(']'); !ok {
			return false
		}
	}
	d.nodes[at].end = int32(len(d.nodes))
	return true
}

func (d *Doc) object(key string, depth int) bool {
	at, ok := d.open(key, Object, depth)
	if !ok {
		return false
	}
	if d.at('}') {
		d.pos++
		return true
	}
	var seen keys
	for next := true; next; {
		if !d.at('"') {
			return d.fail("a key is a string")
		}
		k, ok := d.string()
		if !ok {
			return false
		}
		if d.space(); !d.at(':') {
			return d.fail("here is no : after a key")
		}
		d.pos++
		d.space()
		d.once(at, &seen, k)
		if !d.any(k, depth) {
			return false
		}
		if next, ok = d.more('}'); !ok {
			return false
		}
	}
	d.nodes[at].end = int32(len(d.nodes))
	return true
}

// manyKeys is from where on the keys of an object are remembered one by one.
const manyKeys = 64

// keys remembers the keys of one object: of few of them roughly, so that one may be taken for another.
type keys struct {
	n     int
	rough [4]uint64
	at    map[string]int32 // of many: where each stands
}

func (s *keys) maybe(k string) bool {
	h := uint64(len(k))
	if len(k) > 0 {
		h = h*131 + uint64(k[0])*31 + uint64(k[len(k)-1])*17 + uint64(k[len(k)/2])
	}
	h = h * 0x9e3779b97f4a7c15 >> 56
	old := s.rough[h/64]
	s.rough[h/64] |= 1 << (h % 64)
	return old&(1<<(h%64)) != 0
}

// once takes out the member of the open object that had the key before.
func (d *Doc) once(object int, seen *keys, key string) {
	if seen.n++; seen.n < manyKeys {
		if seen.maybe(key) {
			d.drop(object, key)
		}
		return
	}
	if seen.at == nil {
		seen.at = make(map[string]int32, 2*manyKeys)
		for i := int32(object + 1); int(i) < len(d.nodes); i = d.nodes[i].end {
			if d.nodes[i].kind != Missing {
				seen.at[d.nodes[i].key] = i
			}
		}
	}
	if i, ok := seen.at[key]; ok {
		d.nodes[i].kind = Missing
	}
	seen.at[key] = int32(len(d.nodes))
}

func (d *Doc) drop(object int, key string) {
	for i := int32(object + 1); int(i) < len(d.nodes); i = d.nodes[i].end {
		if n := &d.nodes[i]; n.key == key && n.kind != Missing {
			n.kind = Missing
			return
		}
	}
}

// view is bytes as a string, without a copy.
func view(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

func (d *Doc) number(key string) bool {
	begin := d.pos
	d.digitSign()
	if !d.digits(true) {
		return d.fail("a number needs a digit here, and no leading 0")
	}
	whole := true
	if d.at('.') {
		whole = false
		d.pos++
		if !d.digits(false) {
			return d.fail("a number needs a digit here")
		}
	}
	if d.at('e') || d.at('E') {
		whole = false
		d.pos++
		if d.at('+') || d.at('-') {
			d.pos++
		}
		if !d.digits(false) {
			return d.fail("a number needs a digit here")
		}
	}
	s := view(d.src[begin:d.pos])
	if whole {
		if n, err := strconv.ParseInt(s, 10, 64); err == nil {
			return d.add(key, Int, uint64(n), "")
		}
		if n, err := strconv.ParseUint(s, 10, 64); err == nil {
			return d.add(key, Uint, n, "")
		}
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil {
		return d.add(key, String, 0, s)
	}
	return d.add(key, Float, math.Float64bits(f), "")
}

func (d *Doc) digitSign() {
	if d.at('-') {
		d.pos++
	}
}

// digits reads one digit or more; if leading is true a 0 stands alone.
func (d *Doc) digits(leading bool) bool {
	begin := d.pos
	for d.pos < len(d.src) && d.src[d.pos] >= '0' && d.src[d.pos] <= '9' {
		d.pos++
	}
	return d.pos > begin && (!leading || d.src[begin] != '0' || d.pos == begin+1)
}

// string reads a string; without escapes it is a part of src.
func (d *Doc) string() (string, bool) {
	begin := d.pos + 1
	for i := begin; i < len(d.src); i++ {
		switch c := d.src[i]; {
		case c == '"':
			d.pos = i + 1
			return view(d.src[begin:i]), true
		case c == '\\' || c >= utf8.RuneSelf:
			d.pos = begin
			return d.unescape(i)
		case c < ' ':
			d.pos = i
			return "", d.fail("a control character in a string")
		}
	}
	d.pos = len(d.src)
	return "", d.fail("a string does not end")
}
