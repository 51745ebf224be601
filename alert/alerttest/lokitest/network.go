// SPDX-License-Identifier: Apache-2.0

package lokitest

import (
	"context"
	"errors"
	"net"
	"net/http"
	"sync"
	"syscall"
)

// Network leads to one server without sockets, so that a test may own the time of both ends (testing/synctest).
type Network struct {
	accept chan net.Conn
	closed chan struct{}
	once   sync.Once

	mu    sync.Mutex
	down  bool
	conns []net.Conn
	dials int
}

// NewNetwork returns a network without a server.
func NewNetwork() *Network {
	return &Network{accept: make(chan net.Conn), closed: make(chan struct{})}
}

// Serve lets h answer on a network of its own until the returned function is called.
func Serve(h http.Handler) (n *Network, stop func()) {
	n = NewNetwork()
	s := &http.Server{Handler: h} //nolint:gosec // a test's server has patience
	return n, n.Run(s.Serve, s.Close)
}

// Run lets a server answer until the returned function is called, which closes it.
func (n *Network) Run(serve func(net.Listener) error, shut func() error) (stop func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = serve(n) // ends when it is closed
	}()
	return func() {
		_ = shut()
		n.Down()
		<-done
	}
}

// DialContext connects to the server, whatever the address. While the network is down connections are refused.
func (n *Network) DialContext(ctx context.Context, network, _ string) (net.Conn, error) {
	n.mu.Lock()
	n.dials++
	if n.down {
		n.mu.Unlock()
		return nil, &net.OpError{Op: "dial", Net: network, Err: syscall.ECONNREFUSED}
	}
	client, server := net.Pipe()
	n.conns = append(n.conns, client, server)
	n.mu.Unlock()
	select {
	case n.accept <- server:
		return client, nil
	case <-n.closed:
		return nil, &net.OpError{Op: "dial", Net: network, Err: syscall.ECONNREFUSED}
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Down breaks all connections and refuses further ones.
func (n *Network) Down() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.down = true
	for _, c := range n.conns {
		_ = c.Close()
	}
	n.conns = nil
}

// Up ends what Down began.
func (n *Network) Up() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.down = false
}

// Dials returns how often a connection was tried.
func (n *Network) Dials() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.dials
}

// Accept implements [net.Listener].
func (n *Network) Accept() (net.Conn, error) {
	select {
	case c := <-n.accept:
		return c, nil
	case <-n.closed:
		return nil, errors.New("the network is closed")
	}
}

// Close implements [net.Listener].
func (n *Network) Close() error {
	n.once.Do(func() { close(n.closed) })
	return nil
}

// Addr implements [net.Listener].
func (n *Network) Addr() net.Addr { return &net.UnixAddr{Name: "lokitest", Net: "pipe"} }
