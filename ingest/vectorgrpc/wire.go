// SPDX-License-Identifier: Apache-2.0

package vectorgrpc

import (
	"errors"
	"fmt"

	"google.golang.org/protobuf/encoding/protowire"
)

// The numbers of the fields that are read, by message. Others are skipped.
const (
	requestEvents = 1 // PushEventsRequest

	wrapperLog    = 1 // EventWrapper
	wrapperMetric = 2
	wrapperTrace  = 3

	logFields   = 1 // Log
	logValue    = 2
	logMetadata = 4

	metadataEventID = 7 // Metadata

	entryKey   = 1 // an entry of any map
	entryValue = 2

	valueBytes     = 1 // Value
	valueTimestamp = 2
	valueInteger   = 4
	valueFloat     = 5
	valueBoolean   = 6
	valueMap       = 7
	valueArray     = 8
	valueNull      = 9

	mapFields  = 1 // ValueMap
	arrayItems = 1 // ValueArray

	timestampSeconds = 1 // google.protobuf.Timestamp
	timestampNanos   = 2
)

// errWire says that bytes are no protobuf message.
var errWire = errors.New("malformed protobuf")

// field is one field of a message: bytes if it has a length, else bits.
type field struct {
	num   protowire.Number
	typ   protowire.Type
	bytes []byte
	bits  uint64
}

// is says whether the field has a number and the type that the number should have. One of another type is as
// unknown as one of another number.
func (f field) is(num protowire.Number, typ protowire.Type) bool { return f.num == num && f.typ == typ }

// next cuts the first field off b, which is not empty.
func next(b []byte) (f field, rest []byte, err error) {
	num, typ, n := protowire.ConsumeTag(b)
	if n < 0 {
		return field{}, nil, fmt.Errorf("%w: %w", errWire, protowire.ParseError(n))
	}
	b = b[n:]
	f = field{num: num, typ: typ}
	switch typ {
	case protowire.VarintType:
		f.bits, n = protowire.ConsumeVarint(b)
	case protowire.Fixed64Type:
		f.bits, n = protowire.ConsumeFixed64(b)
	case protowire.BytesType:
		f.bytes, n = protowire.ConsumeBytes(b)
	default:
		n = protowire.ConsumeFieldValue(num, typ, b)
	}
	if n < 0 {
		return field{}, nil, fmt.Errorf("%w: field %d: %w", errWire, num, protowire.ParseError(n))
	}
	return f, b[n:], nil
}

// split cuts a PushEventsRequest into its events. What follows a malformed field cannot be trusted to begin anywhere:
// rest is all of it, and err says why.
func split(request []byte) (events [][]byte, rest []byte, err error) {
	for len(request) > 0 {
		f, after, err := next(request)
		if err != nil {
			return events, request, err
		}
		if f.is(requestEvents, protowire.BytesType) {
			events = append(events, f.bytes)
		}
		request = after
	}
	return events, nil, nil
}
