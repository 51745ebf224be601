// SPDX-License-Identifier: Apache-2.0

package event

import (
	"bytes"

	"tocsin/event/value"
)

// MaxDepth bounds the nesting of a Record.
const MaxDepth = value.MaxDepth

// ErrDepth says that a Record is nested deeper than MaxDepth.
var ErrDepth = value.ErrDepth

// CheckDepth returns ErrDepth for JSON that is nested too deep. It counts brackets outside of strings, before anything is allocated for them.
func CheckDepth(b []byte) error {
	if bytes.Count(b, []byte("{"))+bytes.Count(b, []byte("[")) <= MaxDepth {
		return nil // as nearly always
	}
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
