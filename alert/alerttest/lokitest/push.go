// SPDX-License-Identifier: Apache-2.0

package lokitest

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"
	"unicode/utf8"
)

// Push is a body of POST /loki/api/v1/push, whichever form it came in.
type Push struct {
	Streams []Stream
}

// Stream is the entries of one set of labels.
type Stream struct {
	// Labels are sorted by name.
	Labels  []Pair
	Entries []Entry
}

// Entry is one line of a log.
type Entry struct {
	Time time.Time
	Line string
	// Metadata is sorted by name.
	Metadata []Pair
}

// Pair is a label or a piece of structured metadata.
type Pair struct {
	Name, Value string
}

// field is one field of a protobuf message: a number or bytes.
type field struct {
	number uint64
	varint uint64
	bytes  []byte
}

// The wire types of protobuf that a push has.
const (
	wireVarint = 0
	wireBytes  = 2
)

var errShort = errors.New("the message ends too early")

// fields parts a message into its fields.
func fields(b []byte) ([]field, error) {
	var out []field
	for len(b) > 0 {
		tag, n := binary.Uvarint(b)
		if n <= 0 {
			return nil, errShort
		}
		b = b[n:]
		f := field{number: tag >> 3}
		f.varint, n = binary.Uvarint(b)
		if n <= 0 {
			return nil, errShort
		}
		b = b[n:]
		switch tag & 7 {
		case wireVarint:
		case wireBytes:
			if f.varint > uint64(len(b)) {
				return nil, errShort
			}
			f.bytes, b = b[:f.varint:f.varint], b[f.varint:]
			if f.bytes == nil {
				f.bytes = []byte{}
			}
		default:
			return nil, fmt.Errorf("field %d has wire type %d", f.number, tag&7)
		}
		out = append(out, f)
	}
	return out, nil
}

// DecodeProtobuf reads logproto.PushRequest, strictly: a field that clients do not send is an error.
func DecodeProtobuf(b []byte) (Push, error) {
	var p Push
	err := each(b, func(f field) error {
		if f.number != 1 || f.bytes == nil {
			return fmt.Errorf("a push has no field %d", f.number)
		}
		s, err := decodeStream(f.bytes)
		p.Streams = append(p.Streams, s)
		return err
	})
	return p, err
}

func each(b []byte, read func(field) error) error {
	fs, err := fields(b)
	if err != nil {
		return err
	}
	for _, f := range fs {
		if err := read(f); err != nil {
			return err
		}
	}
	return nil
}

func decodeStream(b []byte) (Stream, error) {
	var s Stream
	err := each(b, func(f field) (err error) {
		switch {
		case f.number == 1 && f.bytes != nil:
			s.Labels, err = ParseLabels(string(f.bytes))
		case f.number == 2 && f.bytes != nil:
			var e Entry
			e, err = decodeEntry(f.bytes)
			s.Entries = append(s.Entries, e)
		default:
			err = fmt.Errorf("a stream has no field %d", f.number)
		}
		return err
	})
	return s, err
}

func decodeEntry(b []byte) (Entry, error) {
	var e Entry
	err := each(b, func(f field) (err error) {
		switch {
		case f.number == 1 && f.bytes != nil:
			e.Time, err = decodeTime(f.bytes)
		case f.number == 2 && f.bytes != nil:
			e.Line, err = text(f.bytes)
		case f.number == 3 && f.bytes != nil:
			var p Pair
			p, err = decodePair(f.bytes)
			e.Metadata = append(e.Metadata, p)
		default:
			err = fmt.Errorf("an entry has no field %d", f.number)
		}
		return err
	})
	return e, err
}

func decodePair(b []byte) (Pair, error) {
	var p Pair
	err := each(b, func(f field) (err error) {
		switch {
		case f.number == 1 && f.bytes != nil:
			p.Name, err = text(f.bytes)
		case f.number == 2 && f.bytes != nil:
			p.Value, err = text(f.bytes)
		default:
			err = fmt.Errorf("a pair has no field %d", f.number)
		}
		return err
	})
	return p, err
}

func decodeTime(b []byte) (time.Time, error) {
	var seconds, nanos int64
	err := each(b, func(f field) error {
		switch {
		case f.number == 1 && f.bytes == nil:
			seconds = int64(f.varint)
		case f.number == 2 && f.bytes == nil && f.varint < 1e9:
			nanos = int64(f.varint)
		default:
			return fmt.Errorf("a time has no field %d of value %d", f.number, f.varint)
		}
		return nil
	})
	return time.Unix(seconds, nanos).UTC(), err
}

func text(b []byte) (string, error) {
	if !utf8.Valid(b) {
		return "", fmt.Errorf("%q is not UTF-8", b)
	}
	return string(b), nil
}

// EncodeProtobuf prints a push as protobuf's rules have it: fields in order, those of no value left out.
func EncodeProtobuf(p Push) []byte {
	var out []byte
	for _, s := range p.Streams {
		msg := appendBytes(nil, 1, []byte(PrintLabels(s.Labels)))
		for _, e := range s.Entries {
			at := appendVarint(nil, 1, uint64(e.Time.Unix()))
			at = appendVarint(at, 2, uint64(e.Time.Nanosecond()))
			entry := appendMessage(nil, 1, at)
			entry = appendBytes(entry, 2, []byte(e.Line))
			for _, m := range e.Metadata {
				entry = appendMessage(entry, 3, appendBytes(appendBytes(nil, 1, []byte(m.Name)), 2, []byte(m.Value)))
			}
			msg = appendMessage(msg, 2, entry)
		}
		out = appendMessage(out, 1, msg)
	}
	return out
}

func appendVarint(b []byte, number, v uint64) []byte {
	if v == 0 {
		return b
	}
	return binary.AppendUvarint(binary.AppendUvarint(b, number<<3|wireVarint), v)
}

func appendBytes(b []byte, number uint64, v []byte) []byte {
	if len(v) == 0 {
		return b
	}
	return appendMessage(b, number, v)
}

func appendMessage(b []byte, number uint64, v []byte) []byte {
	b = binary.AppendUvarint(b, number<<3|wireBytes)
	return append(binary.AppendUvarint(b, uint64(len(v))), v...)
}
