// SPDX-License-Identifier: Apache-2.0

package event

import "net/netip"

// toIP accepts an address in any text form and returns its canonical one, so
// that the same address compares equal whichever source wrote it (P6).
func toIP(v any) (any, bool) {
	s, ok := v.(string)
	if !ok {
		return nil, false
	}
	a, err := netip.ParseAddr(s)
	if err != nil {
		return nil, false
	}
	return a.Unmap().String(), true
}

// toStrings accepts a string or an array of strings; an empty array is missing.
func toStrings(v any) (any, bool) {
	switch v := v.(type) {
	case string:
		return []any{v}, true
	case []string:
		if len(v) == 0 {
			return nil, false
		}
		out := make([]any, len(v))
		for i, s := range v {
			out[i] = s
		}
		return out, true
	case []any:
		if len(v) == 0 {
			return nil, false
		}
		for _, x := range v {
			if _, ok := x.(string); !ok {
				return nil, false
			}
		}
		return v, true
	}
	return nil, false
}
