// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"log/slog"
	"net"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc/credentials"
)

// handshakes counts those that fail: who cannot be talked to is in no other number.
type handshakes struct {
	failed *prometheus.CounterVec
	log    *slog.Logger
}

func (n *node) newHandshakes() *handshakes {
	h := &handshakes{log: n.log, failed: prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "tocsin_tls_handshake_failures_total", Help: "Connections that ended before TLS was agreed on, by listener.",
	}, []string{"listener"})}
	n.reg.MustRegister(h.failed)
	return h
}

// of is where an HTTP server writes what goes wrong, which is its only word of a handshake.
func (h *handshakes) of(listener string) serverErrors {
	return serverErrors{h.failed.WithLabelValues(listener), h.log.With("listener", listener)}
}

type serverErrors struct {
	failed prometheus.Counter
	log    *slog.Logger
}

// Write implements [io.Writer].
func (e serverErrors) Write(p []byte) (int, error) {
	if bytes.HasPrefix(p, []byte("http: TLS handshake error")) {
		e.failed.Inc()
	}
	e.log.Debug(string(bytes.TrimSpace(p)))
	return len(p), nil
}

// counted are a gRPC server's credentials that count.
type counted struct {
	credentials.TransportCredentials
	failed prometheus.Counter
}

// ServerHandshake implements [credentials.TransportCredentials].
func (c counted) ServerHandshake(conn net.Conn) (net.Conn, credentials.AuthInfo, error) {
	secure, info, err := c.TransportCredentials.ServerHandshake(conn)
	if err != nil {
		c.failed.Inc()
	}
	return secure, info, err
}

// Clone implements [credentials.TransportCredentials].
func (c counted) Clone() credentials.TransportCredentials {
	return counted{c.TransportCredentials.Clone(), c.failed}
}
