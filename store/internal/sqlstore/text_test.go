// SPDX-License-Identifier: Apache-2.0

package sqlstore

import (
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"tocsin/store"
)

// FuzzText: whatever an event holds, what reaches an index is text that both databases take and is bounded,
// and different names that fit keep being different.
func FuzzText(f *testing.F) {
	f.Add("plain", 3)
	f.Add("a\x00b\xff", 0)
	f.Add(strings.Repeat("é", 400), 511)
	f.Fuzz(func(t *testing.T, s string, n int) {
		for _, got := range []string{clean(s), label(s), fold(s)} {
			if !utf8.ValidString(got) || strings.IndexByte(got, 0) >= 0 {
				t.Fatalf("%q became %q", s, got)
			}
		}
		if len(label(s)) > maxLabel {
			t.Fatalf("a label of %d bytes", len(label(s)))
		}
		if utf8.ValidString(s) && n >= 0 {
			if got := cut(s, n); len(got) > n || !utf8.ValidString(got) || !strings.HasPrefix(s, got) {
				t.Fatalf("cut(%q, %d) = %q", s, n, got)
			}
		}
	})
}

// FuzzUnpack: bytes that are no cell are ErrCorrupt, and fields that are none an error; nothing panics.
func FuzzUnpack(f *testing.F) {
	state := []byte("state")
	f.Add("a", pack(state), checksum("a", state))
	f.Add("", []byte{}, []byte{})
	f.Add("x", packFields(map[string]any{"a": int64(1)}), []byte("sum"))
	f.Add("x", []byte("\xff\xff\xff\xff\x0f"), []byte(nil))
	f.Fuzz(func(t *testing.T, id string, packed, sum []byte) {
		if _, err := openCell(id, packed, sum); err != nil && !errors.Is(err, store.ErrCorrupt) {
			t.Fatalf("openCell: %v", err)
		}
		if fields, err := unpackFields(packed); err == nil {
			again, err := unpackFields(packFields(fields))
			if err != nil {
				t.Fatal(err)
			}
			// Floats that are no number differ from themselves.
			if diff := cmp.Diff(packFields(fields), packFields(again)); diff != "" {
				t.Fatalf("fields change when they are packed again:\n%s", diff)
			}
		}
	})
}

func TestDialectNumbersItsPlaceholders(t *testing.T) {
	t.Parallel()
	rows := func(cs []Column) string { return "VALUES (" + in(len(cs)) + ")" }
	for _, tt := range []struct {
		name, sql, want string
		d               Dialect
	}{
		{"in order", "a = ? AND b IN (?, ?)", "a = $1 AND b IN ($2, $3)", Dialect{Numbered: true}},
		{"as they are", "a = ? AND b = ?", "a = ? AND b = ?", Dialect{}},
		{"rows between", "a = ? {rows} b = ?", "a = $1 VALUES ($2, $3) b = $4", Dialect{Numbered: true, Rows: rows}},
		{"words", "{now} {lock}{skip}", "N LS", Dialect{Now: "N", Lock: "L", Skip: "S"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := tt.d.SQL(tt.sql, bytesColumns("x", "y")...); got != tt.want {
				t.Errorf("SQL(%q) = %q, want %q", tt.sql, got, tt.want)
			}
		})
	}
}
