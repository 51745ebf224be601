// SPDX-License-Identifier: Apache-2.0

package stream_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"testing"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nkeys"

	"tocsin/stream"
	"tocsin/stream/natstest"
	"tocsin/test/certs"
)

// credentials makes an operator with an account that may use JetStream, and a file of a user of it.
func credentials(t *testing.T) (operator *jwt.OperatorClaims, resolver server.AccountResolver, system, creds string) {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	pair := func(kp nkeys.KeyPair, err error) (nkeys.KeyPair, string) {
		t.Helper()
		must(err)
		pub, err := kp.PublicKey()
		must(err)
		return kp, pub
	}
	op, opPub := pair(nkeys.CreateOperator())
	acc, accPub := pair(nkeys.CreateAccount())
	_, sysPub := pair(nkeys.CreateAccount())
	user, userPub := pair(nkeys.CreateUser())
	resolver = &server.MemAccResolver{}
	for _, pub := range []string{accPub, sysPub} {
		c := jwt.NewAccountClaims(pub)
		if pub == accPub {
			c.Limits.JetStreamLimits = jwt.JetStreamLimits{MemoryStorage: -1, DiskStorage: -1}
		}
		text, err := c.Encode(op)
		must(err)
		must(resolver.Store(pub, text))
	}
	text, err := jwt.NewUserClaims(userPub).Encode(acc)
	must(err)
	seed, err := user.Seed()
	must(err)
	file, err := jwt.FormatUserConfig(text, seed)
	must(err)
	creds = filepath.Join(t.TempDir(), "user.creds")
	must(os.WriteFile(creds, file, 0o600))
	return jwt.NewOperatorClaims(opPub), resolver, sysPub, creds
}

// TestConnectWithTLSAndCredentials: with the certificates and credentials the streams open, without either nothing does.
func TestConnectWithTLSAndCredentials(t *testing.T) {
	t.Parallel()
	ca, cert, key := certs.Write(t)
	operator, resolver, system, creds := credentials(t)
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	pemCA, err := os.ReadFile(ca)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pemCA)
	c := natstest.Start(t, 1, func(o *server.Options) {
		o.TLSConfig = &tls.Config{Certificates: []tls.Certificate{pair}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: pool, MinVersion: tls.VersionTLS12}
		o.TLSTimeout = 5
		o.TrustedOperators, o.AccountResolver, o.SystemAccount = []*jwt.OperatorClaims{operator}, resolver, system
	})
	whole := stream.ServerConfig{URL: c.URL(), Creds: creds, CA: ca, Cert: cert, Key: key}
	nc, err := stream.Connect(whole)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	if _, err := stream.Open(context.Background(), nc, small()); err != nil {
		t.Error(err)
	}
	for name, change := range map[string]func(*stream.ServerConfig){
		"no credentials": func(c *stream.ServerConfig) { c.Creds = "" },
		"no certificate": func(c *stream.ServerConfig) { c.Cert, c.Key = "", "" },
		"no CA":          func(c *stream.ServerConfig) { c.CA = "" },
	} {
		part := whole
		change(&part)
		if nc, err := stream.Connect(part); err == nil {
			nc.Close()
			t.Errorf("with %s it connects", name)
		}
	}
}

// TestAwayBehindAProxy: something listens where NATS should, and takes connections for it that it has nobody for.
func TestAwayBehindAProxy(t *testing.T) {
	t.Parallel()
	for how, treat := range map[string]func(net.Conn){
		"hangs up": func(c net.Conn) { c.Close() },
		"resets": func(c net.Conn) {
			_ = c.(*net.TCPConn).SetLinger(0)
			c.Close()
		},
		"says nothing": func(net.Conn) {},
	} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			ln, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer ln.Close()
			go func() {
				for {
					c, err := ln.Accept()
					if err != nil {
						return
					}
					defer c.Close()
					treat(c)
				}
			}()
			if _, err := stream.Connect(stream.ServerConfig{URL: "nats://" + ln.Addr().String()}); !stream.Away(err) {
				t.Errorf("it says %v: that is taken for good", err)
			}
		})
	}
}

// TestAway: what a cluster says to streams it cannot make, with a server down and with too few servers (the words of
// nats-server 2.12's selectPeerError).
func TestAway(t *testing.T) {
	t.Parallel()
	for said, away := range map[string]bool{
		"no suitable peers for placement, peer offline":                       true,
		"no suitable peers for placement, insufficient storage":               false,
		"no suitable peers for placement, tags not matched ['zone:a']":        false,
		"no suitable peers for placement, peer offline, insufficient storage": true,
		"no suitable peers for placement":                                     false,
	} {
		err := fmt.Errorf("stream EVENTS: %w", &jetstream.APIError{Code: 400, ErrorCode: 10005, Description: said})
		if got := stream.Away(err); got != away {
			t.Errorf("%s: %v", said, got)
		}
	}
}
