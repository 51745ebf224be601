// SPDX-License-Identifier: Apache-2.0

package ingest

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/snappy"
	"github.com/klauspost/compress/zlib"
	"github.com/klauspost/compress/zstd"
)

// Caps of one body (architecture.md, "Answers of ingest").
const (
	MaxBody  = 32 << 20
	maxRatio = 100
	// A small body may be anything: the ratio is watched from here on.
	ratioFrom = 1 << 20
)

var (
	// ErrTooLarge says that a body is over a cap: 413.
	ErrTooLarge = errors.New("the body is too large")
	// ErrEncoding says that the body's compression is not known: 415.
	ErrEncoding = errors.New("unknown Content-Encoding")
)

// Decompress undoes a Content-Encoding as Vector uses the names: deflate is zlib (RFC 1950), snappy a raw
// block. An error that is neither ErrTooLarge nor ErrEncoding says that the body is damaged.
func Decompress(encoding string, body []byte, limit int) ([]byte, error) {
	if limit <= 0 || limit > MaxBody {
		limit = MaxBody
	}
	var r io.Reader
	var err error
	switch encoding {
	case "", "identity":
		if len(body) > limit {
			return nil, fmt.Errorf("%w: more than %d bytes", ErrTooLarge, limit)
		}
		return body, nil
	case "gzip":
		r, err = gzip.NewReader(bytes.NewReader(body))
	case "deflate":
		r, err = zlib.NewReader(bytes.NewReader(body))
	case "zstd":
		var z *zstd.Decoder
		z, err = zstd.NewReader(bytes.NewReader(body), zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(MaxBody+1<<20))
		if err == nil {
			defer z.Close()
			r = z
		}
	case "snappy":
		n, err := snappy.DecodedLen(body)
		if err != nil {
			return nil, err
		}
		if n > limit || tooDense(n, len(body)) {
			return nil, fmt.Errorf("%w: %d bytes from %d", ErrTooLarge, n, len(body))
		}
		return snappy.Decode(nil, body)
	default:
		return nil, fmt.Errorf("%w %q: use gzip, deflate, zstd, snappy or none", ErrEncoding, encoding)
	}
	if err != nil {
		return nil, err
	}
	most := limit
	if dense := max(ratioFrom, len(body)*maxRatio); dense < most {
		most = dense
	}
	out, err := io.ReadAll(io.LimitReader(r, int64(most)+1))
	if len(out) > most || errors.Is(err, zstd.ErrDecoderSizeExceeded) {
		return nil, fmt.Errorf("%w: more than %d bytes from %d", ErrTooLarge, most, len(body))
	}
	if err != nil {
		return nil, err
	}
	return out, nil
}

func tooDense(n, from int) bool { return n > ratioFrom && n > from*maxRatio }
