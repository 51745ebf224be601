// SPDX-License-Identifier: Apache-2.0

package vectorgrpc

import (
	"context"
	"tocsin/ingest"
)

// Push is PushEvents without the network.
func Push(ctx context.Context, cfg Config, request []byte) error {
	return (&service{cfg: cfg}).push(ctx, &ingest.Sender{}, request)
}
