// SPDX-License-Identifier: Apache-2.0

package stream

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// ServerConfig says how to reach a NATS of one's own.
type ServerConfig struct {
	// URL lists servers, separated by commas: nats://host:4222 or tls://host:4222.
	URL string
	// Creds is a file of user credentials (JWT and seed).
	Creds string
	// CA, Cert and Key are PEM files: whom to believe, and who we are.
	CA, Cert, Key string
	// Refused is told of each subject that NATS does not permit, from a goroutine of the connection.
	Refused func(*RefusedError)
	// Trouble is told of what else NATS says beside its answers.
	Trouble func(error)
}

// Connect connects to a NATS cluster. It goes on trying when a connection is lost, and refuses servers whose settings
// are too small for what the streams send. More options go over its own.
func Connect(cfg ServerConfig, more ...nats.Option) (*nats.Conn, error) {
	opts := []nats.Option{
		nats.Name("tocsin"), nats.MaxReconnects(-1),
		// A server whose host is gone closes nothing: after three pings without an answer another is tried.
		nats.PingInterval(2 * time.Second), nats.MaxPingsOutstanding(2),
		nats.ReconnectWait(250 * time.Millisecond), nats.ReconnectJitter(250*time.Millisecond, 250*time.Millisecond),
		nats.CustomInboxPrefix(inboxPrefix),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) {
			if r, ok := refused(err); ok && cfg.Refused != nil {
				cfg.Refused(r)
			} else if !ok && cfg.Trouble != nil {
				cfg.Trouble(err)
			}
		}),
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) {
			if err != nil && cfg.Trouble != nil { // nil: we closed it
				cfg.Trouble(fmt.Errorf("the connection is lost: %w", err))
			}
		}),
	}
	if cfg.Creds != "" {
		opts = append(opts, nats.UserCredentials(cfg.Creds))
	}
	if cfg.CA != "" {
		opts = append(opts, nats.RootCAs(cfg.CA))
	}
	if cfg.Cert != "" {
		opts = append(opts, nats.ClientCert(cfg.Cert, cfg.Key))
	}
	nc, err := nats.Connect(cfg.URL, append(opts, more...)...)
	if err != nil {
		return nil, fmt.Errorf("connect to NATS: %w", err)
	}
	if n := nc.MaxPayload(); n < maxPayload {
		defer nc.Close()
		return nil, fmt.Errorf("NATS: max_payload of %s is %d, it must be at least %d: a record may be 1 MiB and travels with others",
			serverName(nc), n, maxPayload)
	}
	return nc, nil
}

// serverName says which server it is, without what the URL holds of secrets.
func serverName(nc *nats.Conn) string {
	if name := nc.ConnectedServerName(); name != "" {
		return name
	}
	return strings.TrimSpace(nc.ConnectedAddr())
}

// Away reports an error that says that NATS does not answer now and may again: none of its servers is there, or its cluster
// has no leader yet.
func Away(err error) bool {
	if api, ok := errors.AsType[*jetstream.APIError](err); ok {
		if api.ErrorCode == noSuitablePeers { // a cluster too small for the replicas never is large enough
			return strings.Contains(api.Description, "offline")
		}
		return api.Code >= 500 && api.ErrorCode != replicasNotSupported && api.ErrorCode != noStorageLeft
	}
	for _, away := range []error{
		nats.ErrNoServers, nats.ErrTimeout, nats.ErrNoResponders, nats.ErrDisconnected, nats.ErrReconnectBufExceeded,
		jetstream.ErrNoStreamResponse, context.DeadlineExceeded, ErrUnavailable,
		io.EOF, io.ErrUnexpectedEOF, syscall.ECONNRESET, syscall.EPIPE, os.ErrDeadlineExceeded, // of a proxy, or a server that just went
	} {
		if errors.Is(err, away) {
			return true
		}
	}
	return false
}

// noSuitablePeers is what a cluster says that has too few servers for a new stream's replicas, with what keeps them.
const noSuitablePeers = 10005

// replicasNotSupported is what a server that is in no cluster says to more than one replica.
const replicasNotSupported = 10074
