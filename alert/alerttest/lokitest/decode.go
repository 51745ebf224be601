// SPDX-License-Identifier: Apache-2.0

package lokitest

import (
	"bytes"
	"fmt"

	"github.com/klauspost/compress/snappy"
)

// The two forms of a push.
const (
	Protobuf = "application/x-protobuf"
	JSON     = "application/json"
)

// maxPush is how much a push may be when it is decompressed.
const maxPush = 4 << 20

// Decode reads the body of a push and checks it byte for byte: what was read, printed again by this package, must be
// what came. Protobuf is in snappy's block format, which has more than one spelling: there the bytes inside count.
func Decode(contentType string, body []byte) (Push, error) {
	var p Push
	var again []byte
	switch contentType {
	case Protobuf:
		n, err := snappy.DecodedLen(body)
		if err != nil || n > maxPush {
			return p, fmt.Errorf("snappy of %d bytes: %w", n, err)
		}
		if body, err = snappy.Decode(nil, body); err != nil {
			return p, fmt.Errorf("snappy: %w", err)
		}
		if p, err = DecodeProtobuf(body); err != nil {
			return p, fmt.Errorf("protobuf: %w", err)
		}
		again = EncodeProtobuf(p)
	case JSON:
		var err error
		if p, err = DecodeJSON(body); err != nil {
			return p, err
		}
		if again, err = EncodeJSON(p); err != nil {
			return p, err
		}
	default:
		return p, fmt.Errorf("content type %q", contentType)
	}
	if err := checkPush(p); err != nil {
		return p, err
	}
	if !bytes.Equal(again, body) {
		return p, fmt.Errorf("the push is %x, and as it should be spelled %x", body, again)
	}
	return p, nil
}
