// SPDX-License-Identifier: Apache-2.0

package vectorgrpc

import (
	"fmt"
	"io"

	"github.com/klauspost/compress/zstd"
	"google.golang.org/grpc/encoding"
	_ "google.golang.org/grpc/encoding/gzip" // the other compression of Vector's sink
	"google.golang.org/grpc/mem"

	"tocsin/ingest"
)

// rawCodec hands messages over as bytes. It is set on our own server, and so does not stand in for other codecs.
type rawCodec struct{}

// Name is what peers call the encoding: the bytes are protobuf.
func (rawCodec) Name() string { return "proto" }

func (rawCodec) Marshal(v any) (mem.BufferSlice, error) {
	b, ok := v.([]byte)
	if !ok {
		return nil, fmt.Errorf("a %T is no message", v)
	}
	return mem.BufferSlice{mem.SliceBuffer(b)}, nil
}

func (rawCodec) Unmarshal(data mem.BufferSlice, v any) error {
	b, ok := v.(*[]byte)
	if !ok {
		return fmt.Errorf("a %T takes no message", v)
	}
	*b = data.Materialize() // a copy: gRPC uses its buffers again
	return nil
}

// zstdCompressor is the compression `zstd` of Vector's sink.
type zstdCompressor struct{}

func init() { //nolint:gochecknoinits // gRPC's registry must not change once a server or a client runs
	encoding.RegisterCompressor(zstdCompressor{})
}

// Name is the value of grpc-encoding.
func (zstdCompressor) Name() string { return "zstd" }

// Compress serves clients in the same process: our answers are never compressed.
func (zstdCompressor) Compress(w io.Writer) (io.WriteCloser, error) {
	z, err := zstd.NewWriter(w, zstd.WithEncoderConcurrency(1))
	if err != nil {
		return nil, fmt.Errorf("zstd: %w", err)
	}
	return z, nil
}

// Decompress reads no window larger than a message can be; gRPC itself stops at the cap of a message, and closes
// the reader.
func (zstdCompressor) Decompress(r io.Reader) (io.Reader, error) {
	z, err := zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(ingest.MaxBody))
	if err != nil {
		return nil, fmt.Errorf("zstd: %w", err)
	}
	return z.IOReadCloser(), nil
}
