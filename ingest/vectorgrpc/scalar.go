// SPDX-License-Identifier: Apache-2.0

package vectorgrpc

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"
)

// appendText appends a JSON string, with the escapes that Vector's encoder writes and no others. Bytes that are no UTF-8
// are replaced, one U+FFFD for each sequence that breaks off: so the text equals that of the HTTP route.
func appendText(dst []byte, s string) []byte {
	const digits = "0123456789abcdef"
	dst = append(dst, '"')
	for i := 0; i < len(s); {
		c := s[i]
		if c >= utf8.RuneSelf {
			if r, n := utf8.DecodeRuneInString(s[i:]); r != utf8.RuneError || n > 1 {
				dst = append(dst, s[i:i+n]...)
				i += n
			} else {
				dst = append(dst, "\uFFFD"...)
				i += broken(s[i:])
			}
			continue
		}
		i++
		switch {
		case c == '"' || c == '\\':
			dst = append(dst, '\\', c)
		case c == '\n':
			dst = append(dst, '\\', 'n')
		case c == '\r':
			dst = append(dst, '\\', 'r')
		case c == '\t':
			dst = append(dst, '\\', 't')
		case c == '\b':
			dst = append(dst, '\\', 'b')
		case c == '\f':
			dst = append(dst, '\\', 'f')
		case c < ' ':
			dst = append(dst, '\\', 'u', '0', '0', digits[c>>4], digits[c&15])
		default:
			dst = append(dst, c)
		}
	}
	return append(dst, '"')
}

// broken returns the length of the sequence at the start of s, which is no UTF-8: the bytes that could
// have begun a character, at least one.
func broken(s string) int {
	lo, hi, want := byte(0x80), byte(0xBF), 1
	switch c := s[0]; {
	case c >= 0xC2 && c <= 0xDF:
		want = 2
	case c >= 0xE0 && c <= 0xEF:
		want = 3
		switch c {
		case 0xE0:
			lo = 0xA0 // a shorter form exists
		case 0xED:
			hi = 0x9F // half of a surrogate pair
		}
	case c >= 0xF0 && c <= 0xF4:
		want = 4
		switch c {
		case 0xF0:
			lo = 0x90
		case 0xF4:
			hi = 0x8F // above U+10FFFF
		}
	}
	n := 1
	for n < want && n < len(s) && s[n] >= lo && s[n] <= hi {
		lo, hi = 0x80, 0xBF
		n++
	}
	return n
}

// appendFloat appends a double in the shortest form that reads back as itself, and always as a float: 1 is 1.0, so that the
// parser makes no integer of it. JSON has no other floats: they are null.
func appendFloat(dst []byte, bits uint64) []byte {
	f := math.Float64frombits(bits)
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return append(dst, "null"...)
	}
	if abs := math.Abs(f); abs != 0 && (abs < 1e-5 || abs >= 1e16) {
		dst = strconv.AppendFloat(dst, f, 'e', -1, 64)
		if n := len(dst); dst[n-2] == '0' && dst[n-3] == '-' { // Go writes 1e-07; from 1e16 on there are two digits
			dst[n-2], dst = dst[n-1], dst[:n-1]
		}
		return dst
	}
	start := len(dst)
	dst = strconv.AppendFloat(dst, f, 'f', -1, 64)
	if slices.Contains(dst[start:], '.') {
		return dst
	}
	return append(dst, '.', '0')
}

// errTimestamp says that a timestamp is none that Vector can have.
var errTimestamp = errors.New("the timestamp is out of range")

// Vector's clock has about as many years on each side of the epoch.
const maxSeconds = 262_000 * 366 * 24 * 3600

// appendTimestamp appends RFC 3339 in UTC with no, three, six or nine digits of fraction, the form that Vector gives it. Vector
// writes a leap second as nanoseconds above a second; it becomes the start of the next, which the parser can read.
func appendTimestamp(dst, b []byte) ([]byte, error) {
	var seconds, nanos int64
	for len(b) > 0 {
		f, rest, err := next(b)
		if err != nil {
			return nil, err
		}
		switch {
		case f.is(timestampSeconds, protowire.VarintType):
			seconds = int64(f.bits)
		case f.is(timestampNanos, protowire.VarintType):
			nanos = int64(int32(f.bits))
		}
		b = rest
	}
	if nanos < 0 || nanos >= 2e9 || seconds < -maxSeconds || seconds > maxSeconds {
		return nil, fmt.Errorf("%w: %d seconds and %d nanoseconds", errTimestamp, seconds, nanos)
	}
	t := time.Unix(seconds, nanos).UTC()
	layout := "-01-02T15:04:05.000000000"
	switch n := t.Nanosecond(); {
	case n == 0:
		layout = layout[:len(layout)-10]
	case n%1e6 == 0:
		layout = layout[:len(layout)-6]
	case n%1e3 == 0:
		layout = layout[:len(layout)-3]
	}
	dst = append(dst, '"')
	if y := t.Year(); y < 0 || y > 9999 {
		dst = fmt.Appendf(dst, "%+05d", y) // no time for RFC 3339: the parser takes the arrival
	} else {
		layout = "2006" + layout
	}
	return append(t.AppendFormat(dst, layout), 'Z', '"'), nil
}
