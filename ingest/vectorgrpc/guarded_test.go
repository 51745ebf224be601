// SPDX-License-Identifier: Apache-2.0

package vectorgrpc

import (
	"errors"
	"testing"

	"tocsin/event"
	"tocsin/ingest"
)

// TestAPanicIsARefusal: an event whose reading ends in a panic is for quarantine, with where that was.
func TestAPanicIsARefusal(t *testing.T) {
	t.Parallel()
	raw, err := guarded(func(wrapper []byte) ([]byte, error) { return wrapper[1:], nil }, nil)
	r, refused := errors.AsType[*refusal](err)
	if _, bug := errors.AsType[*event.Panic](err); raw != nil || !refused || r.reason != ingest.Panicked || !bug {
		t.Errorf("%q, %v", raw, err)
	}
}
