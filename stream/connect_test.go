// SPDX-License-Identifier: Apache-2.0

package stream_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nkeys"

	"tocsin/stream"
	"tocsin/stream/natstest"
)

// certificates writes a CA, and a certificate that it signed for both sides of 127.0.0.1.
func certificates(t *testing.T) (ca, cert, key string) {
	t.Helper()
	dir := t.TempDir()
	write := func(name, kind string, der []byte) string {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	newKey := func() *ecdsa.PrivateKey {
		k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	caKey, leafKey := newKey(), newKey()
	root := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "ca"}, NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	leaf := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "tocsin"}, NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	rootDER, err := x509.CreateCertificate(rand.Reader, root, root, &caKey.PublicKey, caKey)
	if err != nil {
		t.Fatal(err)
	}
	leafDER, err := x509.CreateCertificate(rand.Reader, leaf, root, &leafKey.PublicKey, caKey)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalECPrivateKey(leafKey)
	if err != nil {
		t.Fatal(err)
	}
	return write("ca.pem", "CERTIFICATE", rootDER), write("cert.pem", "CERTIFICATE", leafDER), write("key.pem", "EC PRIVATE KEY", keyDER)
}

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
	ca, cert, key := certificates(t)
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
