// SPDX-License-Identifier: Apache-2.0

package vectortest

import (
	"context"
	"fmt"
	"slices"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// Native is one vector sink: Vector's own protocol (protocols.md 3.4).
type Native struct {
	Conn  *grpc.ClientConn
	Token string
	// Compression is "", gzip or zstd.
	Compression string
	// Backoff is the time before the nth retry; nil is Vector's Fibonacci in seconds.
	Backoff func(n int) time.Duration
}

// final are the codes after which Vector drops a batch.
var final = []codes.Code{
	codes.NotFound, codes.InvalidArgument, codes.AlreadyExists, codes.PermissionDenied,
	codes.OutOfRange, codes.Unimplemented, codes.Unauthenticated, codes.DataLoss,
}

// DroppedCall says that Vector would have dropped the batch.
type DroppedCall struct{ Err error }

func (d *DroppedCall) Error() string {
	return fmt.Sprintf("not retriable; dropping the request: %v", d.Err)
}

func (d *DroppedCall) Unwrap() error { return d.Err }

// Send delivers logs in one request, with the same bytes until it is answered.
func (n *Native) Send(ctx context.Context, logs ...Log) error {
	wrappers := make([][]byte, len(logs))
	for i, l := range logs {
		wrappers[i] = EncodeLog(l)
	}
	return n.Push(ctx, EncodeRequest(wrappers...))
}

// Push delivers the bytes of a request.
func (n *Native) Push(ctx context.Context, request []byte) error {
	for i := 1; ; i++ {
		_, err := n.Call(ctx, "PushEvents", request)
		if err == nil {
			return nil
		}
		if slices.Contains(final, status.Code(err)) {
			return &DroppedCall{err}
		}
		t := time.NewTimer((&Sink{Backoff: n.Backoff}).backoff(i))
		select {
		case <-ctx.Done():
			t.Stop()
			return fmt.Errorf("%w, after %w", ctx.Err(), err)
		case <-t.C:
		}
	}
}

// Call makes one call and returns the bytes of its answer.
func (n *Native) Call(ctx context.Context, method string, request []byte) ([]byte, error) {
	opts := []grpc.CallOption{grpc.ForceCodecV2(bytesCodec{}), grpc.MaxCallSendMsgSize(1 << 30)}
	if n.Compression != "" {
		opts = append(opts, grpc.UseCompressor(n.Compression))
	}
	if n.Token != "" {
		ctx = metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+n.Token)
	}
	var answer []byte
	err := n.Conn.Invoke(ctx, "/vector.Vector/"+method, request, &answer, opts...)
	return answer, err
}

// bytesCodec sends and receives messages that are encoded already.
type bytesCodec struct{}

var _ encoding.CodecV2 = bytesCodec{}

// Name is the subtype of the content.
func (bytesCodec) Name() string { return "proto" }

// Marshal takes a []byte.
func (bytesCodec) Marshal(v any) (mem.BufferSlice, error) {
	return mem.BufferSlice{mem.SliceBuffer(v.([]byte))}, nil
}

// Unmarshal takes a *[]byte.
func (bytesCodec) Unmarshal(data mem.BufferSlice, v any) error {
	*v.(*[]byte) = data.Materialize()
	return nil
}
