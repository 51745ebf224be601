// SPDX-License-Identifier: Apache-2.0

package sqlstore

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf8"
)

const (
	// maxLabel bounds an indexed value: Postgres refuses an index row above 2704 bytes, and
	// names come from whoever writes the logs.
	maxLabel = 512
	// maxSearch bounds the text that `q` looks through, per incident.
	maxSearch = 8 << 10
)

// clean returns text as both databases can hold it: Postgres takes neither NUL nor malformed UTF-8.
func clean(s string) string {
	if utf8.ValidString(s) && strings.IndexByte(s, 0) < 0 {
		return s
	}
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "\uFFFD")
}

// label returns an indexed value: the text itself, or its head and hash if it is too long.
func label(s string) string {
	if s = clean(s); len(s) <= maxLabel {
		return s
	}
	sum := sha256.Sum256([]byte(s))
	return cut(s, maxLabel-2*len(sum)) + hex.EncodeToString(sum[:])
}

// cut returns at most n bytes of s and breaks no rune.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}

// parseID returns the 16 bytes of an ID of 32 hexadecimal digits.
func parseID(id string) ([]byte, error) {
	b, err := hex.DecodeString(id)
	if err != nil || len(b) != 16 {
		return nil, fmt.Errorf("store: %q is no id of 32 hexadecimal digits", cut(id, 64))
	}
	return b, nil
}

func formatID(b []byte) string { return hex.EncodeToString(b) }

// list encodes values that are only printed.
func list(v any) (string, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return "", fmt.Errorf("store: encode %T: %w", v, err)
	}
	return string(b), nil
}

func unlist(what, s string, v any) error {
	if err := json.Unmarshal([]byte(s), v); err != nil {
		return fmt.Errorf("store: decode %s: %w", what, err)
	}
	return nil
}
