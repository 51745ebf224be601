// SPDX-License-Identifier: Apache-2.0

package value

import (
	"unicode/utf16"
	"unicode/utf8"
)

// blockSize is how much room for unescaped strings is made at a time.
const blockSize = 4 << 10

// unescape reads a string from pos whose first byte of interest is at i: an escape, or one beyond ASCII.
func (d *Doc) unescape(i int) (string, bool) {
	begin := d.pos
	for ; i < len(d.src); i++ { // what is only beyond ASCII, and sound, stays where it is
		c := d.src[i]
		if c == '"' {
			d.pos = i + 1
			return view(d.src[begin:i]), true
		}
		if c < utf8.RuneSelf {
			if c == '\\' || c < ' ' {
				break
			}
			continue
		}
		r, size := utf8.DecodeRune(d.src[i:])
		if r == utf8.RuneError && size == 1 {
			break
		}
		i += size - 1
	}
	d.reserve(min(len(d.src)-begin, blockSize))
	at := d.put(len(d.text), d.src[begin:i])
	for run := i; i < len(d.src); {
		c := d.src[i]
		if c >= ' ' && c != '"' && c != '\\' && c < utf8.RuneSelf {
			i++
			continue
		}
		if i > run {
			at = d.put(at, d.src[run:i])
		}
		var b [utf8.UTFMax]byte
		switch {
		case c == '"':
			d.pos = i + 1
			return view(d.text[at:]), true
		case c < ' ':
			d.pos = i
			return "", d.fail("a control character in a string")
		case c == '\\':
			r, n := escaped(d.src[i:])
			if n == 0 {
				d.pos = i
				return "", d.fail(`an escape is one of \" \\ \/ \b \f \n \r \t \uXXXX`)
			}
			at = d.put(at, b[:utf8.EncodeRune(b[:], r)])
			i += n
		default:
			r, n := utf8.DecodeRune(d.src[i:])
			at = d.put(at, b[:utf8.EncodeRune(b[:], r)])
			i += n
		}
		run = i
	}
	d.pos = len(d.src)
	return "", d.fail("a string does not end")
}

// put adds to the string that began at a place of text, and returns where it begins now: where there is no room it goes
// to a new block, and the old one stays with its strings.
func (d *Doc) put(at int, b []byte) int {
	if len(d.text)+len(b) > cap(d.text) {
		part := d.text[at:]
		d.text, at = append(make([]byte, 0, max(blockSize, 2*(len(part)+len(b)))), part...), 0
	}
	d.text = append(d.text, b...)
	return at
}

// reserve begins a new block if the present one has less room.
func (d *Doc) reserve(n int) {
	if cap(d.text)-len(d.text) < n {
		d.text = make([]byte, 0, max(n, blockSize))
	}
}

// escaped decodes the escape at the beginning of b and returns its length, 0 if it is none. A surrogate without its
// other half is U+FFFD.
func escaped(b []byte) (rune, int) {
	if len(b) < 2 {
		return 0, 0
	}
	switch b[1] {
	case '"', '\\', '/':
		return rune(b[1]), 2
	case 'b':
		return '\b', 2
	case 'f':
		return '\f', 2
	case 'n':
		return '\n', 2
	case 'r':
		return '\r', 2
	case 't':
		return '\t', 2
	case 'u':
		r, ok := hex4(b[2:])
		if !ok {
			return 0, 0
		}
		if !utf16.IsSurrogate(r) {
			return r, 6
		}
		if len(b) >= 12 && b[6] == '\\' && b[7] == 'u' {
			if low, ok := hex4(b[8:]); ok {
				if pair := utf16.DecodeRune(r, low); pair != utf8.RuneError {
					return pair, 12
				}
			}
		}
		return utf8.RuneError, 6
	}
	return 0, 0
}

func hex4(b []byte) (rune, bool) {
	if len(b) < 4 {
		return 0, false
	}
	var r rune
	for _, c := range b[:4] {
		switch {
		case c >= '0' && c <= '9':
			r = r<<4 | rune(c-'0')
		case c >= 'a' && c <= 'f':
			r = r<<4 | rune(c-'a'+10)
		case c >= 'A' && c <= 'F':
			r = r<<4 | rune(c-'A'+10)
		default:
			return 0, false
		}
	}
	return r, true
}
