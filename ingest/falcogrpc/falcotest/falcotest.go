// SPDX-License-Identifier: Apache-2.0

// Package falcotest is a Falco with gRPC output for tests: client-go's own server stubs over a queue that each reader
// empties, as Falco's does (protocols.md 1.1).
package falcotest

import (
	"context"
	"net"
	"sync"

	"github.com/falcosecurity/client-go/pkg/api/outputs"
	"github.com/falcosecurity/client-go/pkg/api/version"
	"google.golang.org/grpc"
)

// Falco is one server; its queue outlasts restarts.
type Falco struct {
	outputs.UnimplementedServiceServer

	mu     sync.Mutex
	queue  []*outputs.Response
	server *grpc.Server
	ending chan struct{}
	served sync.WaitGroup
}

// Put adds alerts.
func (f *Falco) Put(rs ...*outputs.Response) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.queue = append(f.queue, rs...)
}

// Left returns how many alerts nobody has read.
func (f *Falco) Left() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.queue)
}

func (f *Falco) pop() *outputs.Response {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.queue) == 0 {
		return nil
	}
	r := f.queue[0]
	f.queue = f.queue[1:]
	return r
}

// Serve answers on a listener until Stop.
func (f *Falco) Serve(ln net.Listener, opts ...grpc.ServerOption) {
	f.server, f.ending = grpc.NewServer(opts...), make(chan struct{})
	outputs.RegisterServiceServer(f.server, f)
	version.RegisterServiceServer(f.server, teller{})
	server := f.server
	f.served.Go(func() { _ = server.Serve(ln) }) // it ends with Stop
}

// Stop ends every stream well, as Falco does, and then the server.
func (f *Falco) Stop() {
	close(f.ending)
	f.server.GracefulStop()
	f.served.Wait()
}

// Sub sends what there is on each request.
func (f *Falco) Sub(stream outputs.Service_SubServer) error {
	requests := make(chan error)
	go func() {
		for {
			_, err := stream.Recv()
			select {
			case requests <- err:
			case <-stream.Context().Done():
				return
			}
			if err != nil {
				return
			}
		}
	}()
	for {
		select {
		case <-f.ending:
			return nil
		case err := <-requests:
			if err != nil {
				return err
			}
		}
		for r := f.pop(); r != nil; r = f.pop() {
			if err := stream.Send(r); err != nil {
				return err
			}
		}
	}
}

type teller struct {
	version.UnimplementedServiceServer
}

// Version tells a version of the last kind that has gRPC.
func (teller) Version(context.Context, *version.Request) (*version.Response, error) {
	return &version.Response{Version: "0.43.1", Minor: 43, Patch: 1}, nil
}
