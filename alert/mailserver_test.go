// SPDX-License-Identifier: Apache-2.0

package alert

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"io"
	"math/big"
	"net"
	"net/mail"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
)

// mailServer is a real SMTP server that keeps what it took.
type mailServer struct {
	mu    sync.Mutex
	mails [][]byte
	rcpt  error
	// open says that nobody has to log in.
	open bool
	// troubled has the troubles of mails, nil if there are none.
	troubled *troubled
}

func (s *mailServer) NewSession(c *smtp.Conn) (smtp.Session, error) {
	return &mailSession{server: s, conn: c}, nil
}

type mailSession struct {
	server *mailServer
	conn   *smtp.Conn
	known  bool
}

func (s *mailSession) AuthMechanisms() []string { return []string{sasl.Plain} }

func (s *mailSession) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, user, password string) error {
		if user != "tocsin" || password != "hush" {
			return errors.New("who is that?")
		}
		s.known = true
		return nil
	}), nil
}

func (s *mailSession) Mail(string, *smtp.MailOptions) error {
	if !s.known && !s.server.open {
		return smtp.ErrAuthRequired
	}
	return nil
}

func (s *mailSession) Rcpt(string, *smtp.RcptOptions) error {
	s.server.mu.Lock()
	defer s.server.mu.Unlock()
	return s.server.rcpt
}

func (s *mailSession) Data(r io.Reader) error {
	b, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	what := ""
	if s.server.troubled != nil {
		what = s.server.troubled.next()
	}
	switch what {
	case "429":
		return &smtp.SMTPError{Code: 450, EnhancedCode: smtp.EnhancedCode{4, 7, 1}, Message: "too many"}
	case "500":
		return &smtp.SMTPError{Code: 451, EnhancedCode: smtp.EnhancedCode{4, 3, 0}, Message: "not now"}
	case "half-open": // nobody waits that long, in a bubble's time
		time.Sleep(time.Minute)
		return errors.New("where were we?")
	case "slow":
		time.Sleep(3 * time.Second)
	}
	s.server.keep(b)
	if what == "ambiguous" {
		return s.conn.Conn().Close()
	}
	return nil
}

func (s *mailServer) keep(raw []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mails = append(s.mails, raw)
	if s.troubled == nil {
		return
	}
	m, err := mail.ReadMessage(bytes.NewReader(raw))
	if err != nil {
		s.troubled.t.Error(err)
		return
	}
	s.troubled.note(m.Header.Get("X-Tocsin-Key"))
}

func (*mailSession) Reset() {}

func (*mailSession) Logout() error { return nil }

// serveMail starts a server with STARTTLS, or without, and returns its address and a file with whom to believe.
func serveMail(t *testing.T, withTLS bool) (s *mailServer, address, ca string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "mail"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	ca = filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	s = &mailServer{}
	server := smtp.NewServer(s)
	server.Domain, server.AllowInsecureAuth = "mail.example.org", !withTLS
	if withTLS {
		server.TLSConfig = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = server.Serve(l) // ends when it is closed
	}()
	t.Cleanup(func() { _ = server.Close(); <-done })
	return s, "smtp://" + l.Addr().String(), ca
}
