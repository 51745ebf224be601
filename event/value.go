// SPDX-License-Identifier: Apache-2.0

package event

import (
	"encoding/binary"
	"errors"
	"math"
	"sort"

	"tocsin/event/value"
)

// ErrValue says that bytes are no encoded value.
var ErrValue = errors.New("event: malformed value encoding")

const (
	tagNil byte = iota
	tagFalse
	tagTrue
	tagInt
	tagUint
	tagFloat
	tagString
	tagArray
	tagObject
)

const maxValueDepth = 128

// AppendValue appends the typed encoding of a decoded JSON value (nil, bool, int64,
// uint64, float64, string, []any, map[string]any) to dst. Equal values of equal type
// have equal encodings, so that encodings serve as keys (detection.md K4).
// A value of another type encodes as nil.
func AppendValue(dst []byte, v any) []byte {
	switch v := v.(type) {
	case bool:
		if v {
			return append(dst, tagTrue)
		}
		return append(dst, tagFalse)
	case int64:
		return binary.BigEndian.AppendUint64(append(dst, tagInt), uint64(v))
	case uint64:
		return binary.BigEndian.AppendUint64(append(dst, tagUint), v)
	case float64:
		if v == 0 {
			v = 0 // one encoding for both zeros
		}
		return binary.BigEndian.AppendUint64(append(dst, tagFloat), math.Float64bits(v))
	case string:
		return append(binary.AppendUvarint(append(dst, tagString), uint64(len(v))), v...)
	case []any:
		dst = binary.AppendUvarint(append(dst, tagArray), uint64(len(v)))
		for _, x := range v {
			dst = AppendValue(dst, x)
		}
		return dst
	case map[string]any:
		keys := make([]string, 0, len(v))
		for k := range v {
			keys = append(keys, k)
		}
		sort.Strings(keys)
		dst = AppendObject(dst, len(v))
		for _, k := range keys {
			dst = AppendValue(AppendValue(dst, k), v[k])
		}
		return dst
	default:
		return append(dst, tagNil)
	}
}

// AppendObject begins an object of n members: n times an encoded name and an encoded value, in order of names, follow.
func AppendObject(dst []byte, n int) []byte {
	return binary.AppendUvarint(append(dst, tagObject), uint64(n))
}

// Append is AppendValue of a parsed value: their bytes are the same.
func Append(dst []byte, v value.Value) []byte {
	switch v.Kind() {
	case value.Bool:
		if b, _ := v.Bool(); b {
			return append(dst, tagTrue)
		}
		return append(dst, tagFalse)
	case value.Int:
		n, _ := v.Int64()
		return binary.BigEndian.AppendUint64(append(dst, tagInt), uint64(n))
	case value.String:
		s, _ := v.Str()
		return append(binary.AppendUvarint(append(dst, tagString), uint64(len(s))), s...)
	default:
		return AppendValue(dst, v.Any())
	}
}

// ReadValue decodes one value from the front of b and returns what is left of it.
func ReadValue(b []byte) (v any, rest []byte, err error) { return readValue(b, 0) }

func readValue(b []byte, depth int) (any, []byte, error) {
	if len(b) == 0 || depth > maxValueDepth {
		return nil, nil, ErrValue
	}
	tag, b := b[0], b[1:]
	switch tag {
	case tagNil:
		return nil, b, nil
	case tagFalse, tagTrue:
		return tag == tagTrue, b, nil
	case tagInt, tagUint, tagFloat:
		if len(b) < 8 {
			return nil, nil, ErrValue
		}
		n := binary.BigEndian.Uint64(b)
		switch tag {
		case tagInt:
			return int64(n), b[8:], nil
		case tagUint:
			return n, b[8:], nil
		default:
			return math.Float64frombits(n), b[8:], nil
		}
	case tagString:
		n, w := binary.Uvarint(b)
		if w <= 0 || n > uint64(len(b)-w) {
			return nil, nil, ErrValue
		}
		b = b[w:]
		return string(b[:n]), b[n:], nil
	case tagArray:
		n, w := binary.Uvarint(b)
		if w <= 0 || n > uint64(len(b)-w) {
			return nil, nil, ErrValue
		}
		b = b[w:]
		out := make([]any, 0, n)
		for range n {
			v, rest, err := readValue(b, depth+1)
			if err != nil {
				return nil, nil, err
			}
			out, b = append(out, v), rest
		}
		return out, b, nil
	case tagObject:
		n, w := binary.Uvarint(b)
		if w <= 0 || n > uint64(len(b)-w) {
			return nil, nil, ErrValue
		}
		b = b[w:]
		out := make(map[string]any, n)
		for range n {
			k, rest, err := readValue(b, depth+1)
			if err != nil {
				return nil, nil, err
			}
			name, ok := k.(string)
			if !ok {
				return nil, nil, ErrValue
			}
			v, rest, err := readValue(rest, depth+1)
			if err != nil {
				return nil, nil, err
			}
			out[name], b = v, rest
		}
		return out, b, nil
	default:
		return nil, nil, ErrValue
	}
}
