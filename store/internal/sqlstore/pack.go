// SPDX-License-Identifier: Apache-2.0

package sqlstore

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"

	"github.com/klauspost/compress/s2"

	"tocsin/event"
	"tocsin/store"
)

// maxPacked bounds what is decompressed: damaged bytes may claim any size.
const maxPacked = 256 << 20

// pack compresses bytes; nil stays nil, so that what was dropped differs from what was empty.
func pack(b []byte) []byte {
	if b == nil {
		return nil
	}
	return s2.Encode(nil, b)
}

func unpack(b []byte) ([]byte, error) {
	if b == nil {
		return nil, nil
	}
	n, err := s2.DecodedLen(b)
	if err == nil && n > maxPacked {
		err = fmt.Errorf("%d bytes are above %d", n, maxPacked)
	}
	if err != nil {
		return nil, fmt.Errorf("store: decompress: %w", err)
	}
	out, err := s2.Decode(nil, b)
	if err != nil {
		return nil, fmt.Errorf("store: decompress: %w", err)
	}
	return out, nil
}

// packFields keeps the types of the values: JSON would make floats of integers.
func packFields(fields map[string]any) []byte { return pack(event.AppendValue(nil, fields)) }

func unpackFields(b []byte) (map[string]any, error) {
	b, err := unpack(b)
	if err != nil {
		return nil, err
	}
	v, _, err := event.ReadValue(b)
	if err != nil {
		return nil, fmt.Errorf("store: fields: %w", err)
	}
	fields, ok := v.(map[string]any)
	if !ok {
		return nil, fmt.Errorf("store: fields: %w", event.ErrValue)
	}
	return fields, nil
}

// cellHash is the key of a cell: its own id has no bound, and an index has one.
func cellHash(id string) []byte {
	sum := sha256.Sum256([]byte(id))
	return sum[:]
}

// checksum covers a cell's id and state.
func checksum(id string, state []byte) []byte {
	h := sha256.New()
	h.Write(binary.BigEndian.AppendUint64(nil, uint64(len(id))))
	h.Write([]byte(id))
	h.Write(state)
	return h.Sum(nil)
}

// openCell returns the state of a stored cell, or [store.ErrCorrupt].
func openCell(id string, packed, sum []byte) ([]byte, error) {
	state, err := unpack(packed)
	if err != nil {
		return nil, fmt.Errorf("cell %q: %w: %w", id, store.ErrCorrupt, err)
	}
	if !bytes.Equal(checksum(id, state), sum) {
		return nil, fmt.Errorf("cell %q: %w", id, store.ErrCorrupt)
	}
	return state, nil
}
