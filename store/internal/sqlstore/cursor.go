// SPDX-License-Identifier: Apache-2.0

package sqlstore

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"strings"

	"tocsin/incident"
)

// cursor is the place after an item of a list: its time and what breaks ties. It is bound to the
// list that it was made for.
type cursor struct {
	at  int64
	tie []byte
}

const cursorVersion = 1

// encodeCursor returns the URL-safe form of a cursor of the list that of describes.
func encodeCursor(c cursor, of [8]byte) string {
	b := append([]byte{cursorVersion}, of[:]...)
	b = binary.BigEndian.AppendUint64(b, uint64(c.at))
	return base64.RawURLEncoding.EncodeToString(append(b, c.tie...))
}

// decodeCursor returns nil for the empty cursor, and [incident.ErrBadCursor] for one of another list
// or whose tie is not of the size (-1: any).
func decodeCursor(s string, of [8]byte, size int) (*cursor, error) {
	if s == "" {
		return nil, nil
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(s)
	// The decoder skips line breaks; a cursor has none.
	if err != nil || strings.ContainsAny(s, "\r\n") || len(b) < 17 || b[0] != cursorVersion || [8]byte(b[1:9]) != of || size >= 0 && len(b) != 17+size {
		return nil, incident.ErrBadCursor
	}
	return &cursor{at: int64(binary.BigEndian.Uint64(b[9:17])), tie: b[17:]}, nil
}

// listHash identifies a list by what selects it.
func listHash(what string, by any) ([8]byte, error) {
	b, err := json.Marshal(by)
	if err != nil {
		return [8]byte{}, fmt.Errorf("store: hash of a filter: %w", err)
	}
	sum := sha256.Sum256(append([]byte(what+"\x00"), b...))
	return [8]byte(sum[:8]), nil
}

// pageSize returns the size of a page that a caller asked for.
func pageSize(limit int) int {
	switch {
	case limit <= 0:
		return 50
	case limit > 500:
		return 500
	}
	return limit
}
