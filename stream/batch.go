// SPDX-License-Identifier: Apache-2.0

package stream

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"slices"

	"github.com/klauspost/compress/s2"

	"tocsin/event"
)

// Formats of a message's body.
const (
	batchFormat  = 1
	packedFormat = 2
)

// maxUnpacked bounds what a body may decompress to.
const maxUnpacked = 64 << 20

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// ErrBatch says that a message is not what was written.
var ErrBatch = errors.New("stream: the message is damaged")

// Batch is many Records in one message, stamped with the rule Set that they are to be matched by (R1).
type Batch struct {
	Stamp
	Records []event.Record
}

// EncodeBatch encodes a batch: format, checksum, and s2 over all of it.
func EncodeBatch(stamp Stamp, recs []event.Record) []byte {
	w := &event.Writer{}
	w.String(stamp.Set)
	w.Uint(uint64(len(recs)))
	for i := range recs {
		r := &recs[i]
		w.String(r.Input)
		w.String(r.Source)
		w.Uint(uint64(r.Ordinal))
		w.Uint(uint64(len(r.Raw)))
		w.B = append(w.B, r.Raw...)
	}
	w.Uint(stamp.Generation)
	if slices.ContainsFunc(recs, func(r event.Record) bool { return r.Taken != 0 }) {
		for i := range recs {
			w.Int(recs[i].Taken)
		}
	}
	return pack(batchFormat, w.B)
}

// DecodeBatch decodes what EncodeBatch made; the error is ErrBatch.
func DecodeBatch(b []byte) (Batch, error) {
	plain, err := unpack(batchFormat, b)
	if err != nil {
		return Batch{}, err
	}
	r := &event.Reader{B: plain}
	out := Batch{Stamp: Stamp{Set: r.String()}}
	n := r.Len()
	out.Records = make([]event.Record, 0, n)
	for range n {
		rec := event.Record{Input: r.String(), Source: r.String(), Ordinal: uint32(r.Uint())}
		size := r.Len()
		if r.Err != nil {
			return Batch{}, fmt.Errorf("%w: %w", ErrBatch, r.Err)
		}
		rec.Raw, r.B = r.B[:size:size], r.B[size:]
		out.Records = append(out.Records, rec)
	}
	if len(r.B) > 0 { // what older versions wrote ends here
		out.Generation = r.Uint()
	}
	if len(r.B) > 0 { // what came by no edge ends here
		for i := range out.Records {
			out.Records[i].Taken = r.Int()
		}
	}
	if r.Err != nil {
		return Batch{}, fmt.Errorf("%w: %w", ErrBatch, r.Err)
	}
	return out, nil
}

func pack(format byte, plain []byte) []byte {
	out := make([]byte, 5, 5+s2.MaxEncodedLen(len(plain)))
	out[0] = format
	binary.BigEndian.PutUint32(out[1:], crc32.Checksum(plain, castagnoli))
	return append(out, s2.Encode(nil, plain)...)
}

func unpack(format byte, b []byte) ([]byte, error) {
	if len(b) < 5 || b[0] != format {
		return nil, fmt.Errorf("%w: not of format %d", ErrBatch, format)
	}
	n, err := s2.DecodedLen(b[5:])
	if err != nil || n > maxUnpacked {
		return nil, fmt.Errorf("%w: its length", ErrBatch)
	}
	plain, err := s2.Decode(nil, b[5:])
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrBatch, err)
	}
	if crc32.Checksum(plain, castagnoli) != binary.BigEndian.Uint32(b[1:]) {
		return nil, fmt.Errorf("%w: its checksum", ErrBatch)
	}
	return plain, nil
}
