// SPDX-License-Identifier: Apache-2.0

package main

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"log/slog"
	"os"
	"sync"
	"time"
)

// Whether clients have to show certificates, where they are asked for one.
const (
	authOptional = "optional"
	authRequired = "required"
)

// serverTLS is the TLS of a listener. Its files are read again when they have changed.
type serverTLS struct {
	pair *fresh[*tls.Certificate]
	// clients are the authorities whose certificates clients may show; nil: they are not asked for one.
	clients  *fresh[*x509.CertPool]
	required bool
}

// newServerTLS reads a certificate, and whose certificates clients may show ("" for nobody's) or must show.
func newServerTLS(cert, key, clientCA, clientAuth string, log *slog.Logger) (*serverTLS, error) {
	s := &serverTLS{pair: freshPair(cert, key, log), required: clientAuth == authRequired}
	if _, err := s.pair.get(); err != nil {
		return nil, err
	}
	if clientCA == "" {
		return s, nil
	}
	s.clients = &fresh[*x509.CertPool]{file: clientCA, log: log, read: func() (*x509.CertPool, error) {
		pem, err := os.ReadFile(clientCA)
		if err != nil {
			return nil, err
		}
		pool := x509.NewCertPool()
		if !pool.AppendCertsFromPEM(pem) {
			return nil, errors.New(clientCA + " holds no certificate")
		}
		return pool, nil
	}}
	if _, err := s.clients.get(); err != nil {
		return nil, err
	}
	return s, nil
}

// config is for HTTP/1.1, HTTP/2 and gRPC.
func (s *serverTLS) config() *tls.Config {
	cfg := &tls.Config{
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return s.pair.get() },
		MinVersion:     tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"},
	}
	if s.clients == nil {
		return cfg
	}
	cfg.ClientAuth = tls.VerifyClientCertIfGiven
	if s.required {
		cfg.ClientAuth = tls.RequireAndVerifyClientCert
	}
	cfg.SessionTicketsDisabled = true // a session that goes on shows no certificate anew: it would outlive its authority
	asked := cfg.Clone()
	cfg.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) {
		own := asked.Clone()
		var err error
		own.ClientCAs, err = s.clients.get()
		return own, err
	}
	return cfg
}

// fresh is what a file says, read again when it has changed: certificates are renewed while we run.
type fresh[T any] struct {
	file string
	read func() (T, error)
	log  *slog.Logger

	mu      sync.Mutex
	known   bool
	value   T
	changed time.Time
	looked  time.Time
}

// lookEvery is how often the file is looked at.
const lookEvery = 10 * time.Second

func freshPair(cert, key string, log *slog.Logger) *fresh[*tls.Certificate] {
	return &fresh[*tls.Certificate]{file: cert, log: log, read: func() (*tls.Certificate, error) {
		pair, err := tls.LoadX509KeyPair(cert, key)
		return &pair, err
	}}
}

// get returns what the file says. If it cannot be read anew, what it said before stands.
func (f *fresh[T]) get() (T, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.known && time.Since(f.looked) < lookEvery {
		return f.value, nil
	}
	f.looked = time.Now()
	info, err := os.Stat(f.file)
	if err == nil && (!f.known || !info.ModTime().Equal(f.changed)) {
		var v T
		if v, err = f.read(); err == nil {
			f.known, f.value, f.changed = true, v, info.ModTime()
		}
	}
	if !f.known {
		return f.value, err
	}
	if err != nil { // one that is being written is read the next time
		f.log.Warn("a file of TLS cannot be read anew: what it said before stands", "file", f.file, "err", err)
	}
	return f.value, nil
}
