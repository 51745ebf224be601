// SPDX-License-Identifier: Apache-2.0

package vectorgrpc

import (
	"slices"
	"strconv"
	"strings"

	"google.golang.org/protobuf/encoding/protowire"

	"tocsin/event"
	"tocsin/ingest"
)

// entry is one entry of a map; its value is a Value that has not been read yet.
type entry struct {
	key   string
	value []byte
}

func readEntry(b []byte) (e entry, err error) {
	for len(b) > 0 {
		f, rest, err := next(b)
		if err != nil {
			return e, err
		}
		switch {
		case f.is(entryKey, protowire.BytesType):
			e.key = string(f.bytes)
		case f.is(entryValue, protowire.BytesType):
			e.value = f.bytes
		}
		b = rest
	}
	return e, nil
}

// readEntries returns the entries of a ValueMap.
func readEntries(b []byte) (entries []entry, err error) {
	for len(b) > 0 {
		f, rest, err := next(b)
		if err != nil {
			return nil, err
		}
		if f.is(mapFields, protowire.BytesType) {
			e, err := readEntry(f.bytes)
			if err != nil {
				return nil, err
			}
			entries = append(entries, e)
		}
		b = rest
	}
	return entries, nil
}

// kindOf returns the field of a Value that is set; its number is 0 if none is that we know. Of several the
// last counts, as for each oneof.
func kindOf(b []byte) (kind field, err error) {
	for len(b) > 0 {
		f, rest, err := next(b)
		if err != nil {
			return field{}, err
		}
		switch {
		case f.is(valueBytes, protowire.BytesType), f.is(valueTimestamp, protowire.BytesType),
			f.is(valueInteger, protowire.VarintType), f.is(valueFloat, protowire.Fixed64Type), f.is(valueBoolean, protowire.VarintType),
			f.is(valueMap, protowire.BytesType), f.is(valueArray, protowire.BytesType), f.is(valueNull, protowire.VarintType):
			kind = f
		}
		b = rest
	}
	return kind, nil
}

// appendObject appends the JSON of a map. Keys are sorted, as Vector's are: equal events are equal bytes, whatever
// order the encoder's map had. Of a key that stands twice the last counts.
func appendObject(dst []byte, entries []entry, depth int) ([]byte, error) {
	if depth > event.MaxDepth {
		return nil, event.ErrDepth
	}
	slices.SortStableFunc(entries, func(a, b entry) int { return strings.Compare(a.key, b.key) })
	dst = append(dst, '{')
	first := true
	for i, e := range entries {
		if i+1 < len(entries) && entries[i+1].key == e.key {
			continue
		}
		if !first {
			dst = append(dst, ',')
		}
		first = false
		dst = append(appendText(dst, e.key), ':')
		var err error
		if dst, err = appendValue(dst, e.value, depth); err != nil {
			return nil, err
		}
	}
	return append(dst, '}'), tooLarge(dst)
}

// appendArray appends the JSON of a ValueArray.
func appendArray(dst, b []byte, depth int) ([]byte, error) {
	if depth > event.MaxDepth {
		return nil, event.ErrDepth
	}
	dst = append(dst, '[')
	first := true
	for len(b) > 0 {
		f, rest, err := next(b)
		if err != nil {
			return nil, err
		}
		b = rest
		if !f.is(arrayItems, protowire.BytesType) {
			continue
		}
		if !first {
			dst = append(dst, ',')
		}
		first = false
		if dst, err = appendValue(dst, f.bytes, depth); err != nil {
			return nil, err
		}
	}
	return append(dst, ']'), tooLarge(dst)
}

// appendValue appends the JSON of a Value that stands in a container at depth. One of no kind that we know is null: the
// key says at least that there was something.
func appendValue(dst, b []byte, depth int) ([]byte, error) {
	kind, err := kindOf(b)
	if err != nil {
		return nil, err
	}
	switch kind.num {
	case valueBytes:
		dst = appendText(dst, string(kind.bytes))
	case valueTimestamp:
		dst, err = appendTimestamp(dst, kind.bytes)
	case valueInteger:
		dst = strconv.AppendInt(dst, int64(kind.bits), 10)
	case valueFloat:
		dst = appendFloat(dst, kind.bits)
	case valueBoolean:
		dst = strconv.AppendBool(dst, kind.bits != 0)
	case valueMap:
		var entries []entry
		if entries, err = readEntries(kind.bytes); err == nil {
			dst, err = appendObject(dst, entries, depth+1)
		}
	case valueArray:
		dst, err = appendArray(dst, kind.bytes, depth+1)
	default:
		dst = append(dst, "null"...)
	}
	if err != nil {
		return nil, err
	}
	return dst, tooLarge(dst)
}

// tooLarge is asked after each value, so that what is thrown away is not written to its end first.
func tooLarge(dst []byte) error {
	if len(dst) > ingest.MaxRecord {
		return errTooLarge
	}
	return nil
}
