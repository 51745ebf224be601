// SPDX-License-Identifier: Apache-2.0

package sqlstore

import (
	"bytes"
	"errors"
	"testing"

	"tocsin/incident"
)

// FuzzCursor: whatever comes is a cursor that says the same again, or ErrBadCursor.
func FuzzCursor(f *testing.F) {
	of := [8]byte{1, 2, 3}
	f.Add("")
	f.Add("%%%")
	f.Add("\n")
	f.Add(encodeCursor(cursor{at: -1, tie: make([]byte, 16)}, of))
	f.Add(encodeCursor(cursor{at: 1 << 62}, of))
	f.Add(encodeCursor(cursor{at: 7, tie: append(make([]byte, 32), "step"...)}, of))
	f.Add(encodeCursor(cursor{at: 7, tie: make([]byte, 16)}, [8]byte{}))
	f.Fuzz(func(t *testing.T, s string) {
		for _, size := range []int{-1, 0, 16} {
			c, err := decodeCursor(s, of, size)
			if err != nil {
				if !errors.Is(err, incident.ErrBadCursor) {
					t.Fatalf("%q: %v", s, err)
				}
				continue
			}
			if c == nil {
				if s != "" {
					t.Fatalf("%q is taken for the first page", s)
				}
				continue
			}
			if again := encodeCursor(*c, of); again != s {
				t.Fatalf("%q says %q", s, again)
			}
			if size >= 0 && len(c.tie) != size {
				t.Fatalf("%q has a tie of %d bytes, want %d", s, len(c.tie), size)
			}
		}
		if c, err := decodeEvidenceCursor(s, of); err == nil && c != nil && (len(c.tie) < 32 || bytes.IndexByte(c.tie[32:], 0) >= 0) {
			t.Fatalf("%q: tie %q", s, c.tie)
		}
	})
}
