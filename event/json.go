// SPDX-License-Identifier: Apache-2.0

package event

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
)

// MaxDepth bounds the nesting of a Record.
const MaxDepth = 64

// ErrDepth says that a Record is nested deeper than MaxDepth.
var ErrDepth = fmt.Errorf("nested deeper than %d", MaxDepth)

// ParseJSON decodes one JSON value: numbers become int64 where they are integers that fit, uint64 above that,
// else float64 (P3); of a key that stands twice the last counts.
func ParseJSON(b []byte) (any, error) {
	if err := CheckDepth(b); err != nil {
		return nil, err
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return nil, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("more after the JSON value")
	}
	return exactNumbers(v), nil
}

// CheckDepth returns ErrDepth for JSON that is nested too deep. It counts brackets outside of strings, before anything is allocated for them.
func CheckDepth(b []byte) error {
	depth, quoted := 0, false
	for i := 0; i < len(b); i++ {
		switch c := b[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{' || c == '[':
			if depth++; depth > MaxDepth {
				return ErrDepth
			}
		case c == '}' || c == ']':
			depth--
		}
	}
	return nil
}

func exactNumbers(v any) any {
	switch v := v.(type) {
	case json.Number:
		s := string(v)
		if n, err := strconv.ParseInt(s, 10, 64); err == nil {
			return n
		}
		if n, err := strconv.ParseUint(s, 10, 64); err == nil {
			return n
		}
		f, err := strconv.ParseFloat(s, 64)
		if err != nil {
			return s // out of the range of any number: kept as it is written
		}
		return f
	case map[string]any:
		for k, x := range v {
			v[k] = exactNumbers(x)
		}
	case []any:
		for i, x := range v {
			v[i] = exactNumbers(x)
		}
	}
	return v
}
