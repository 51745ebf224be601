// SPDX-License-Identifier: Apache-2.0

package alert

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// natsSender publishes each alert to a subject: with a stream it waits until that has it, without one
// until the server has.
type natsSender struct {
	url, subject, stream string
	options              []nats.Option

	mu   sync.Mutex
	conn *nats.Conn
}

func (r Receiver) validateNATS(at string) error {
	if r.URL == "" {
		return wrong(at+".url", "the servers of a NATS, as in nats://nats.example.org:4222, with commas between several")
	}
	for one := range strings.SplitSeq(r.URL, ",") {
		u, err := url.Parse(strings.TrimSpace(one))
		if err != nil || u.Hostname() == "" || u.Scheme != "nats" && u.Scheme != "tls" {
			return wrong(at+".url", "not a nats or tls address with a host")
		}
	}
	switch {
	case r.Subject == "":
		return wrong(at+".subject", "the subject that alerts are published to")
	case !subjectName(r.Subject):
		return wrong(at+".subject", "%q is no subject to publish to: words with full stops between, no blanks, * or >", r.Subject)
	case strings.HasPrefix(r.Subject, "$") || strings.HasPrefix(r.Subject, "tocsin."):
		return wrong(at+".subject", "%q belongs to NATS or to Tocsin's own streams", r.Subject)
	case strings.ContainsAny(r.Stream, " \t.*>/\\"):
		return wrong(at+".stream", "%q is no name of a stream", r.Stream)
	case r.Creds != "" && (r.User != "" || r.Token != ""):
		return wrong(at+".creds", "either creds, a token or a user, not several")
	}
	return r.validateCredentials(at, false)
}

// subjectName reports whether one can publish to a subject.
func subjectName(s string) bool {
	for part := range strings.SplitSeq(s, ".") {
		if part == "" || strings.ContainsAny(part, "*> \t\r\n") {
			return false
		}
	}
	return true
}

func newNATS(r Receiver, c Config) (sender, error) {
	s := &natsSender{url: r.URL, subject: r.Subject, stream: r.Stream}
	s.options = []nats.Option{
		nats.Name("tocsin alerts"), nats.Timeout(timeout / 2), nats.SetCustomDialer(c.guard().dialer()),
		// An alert is not kept in the connection: the outbox has it.
		nats.ReconnectBufSize(-1), nats.MaxReconnects(-1), nats.NoEcho(), nats.DontRandomize(),
	}
	switch {
	case r.Creds != "":
		s.options = append(s.options, nats.UserCredentials(r.Creds))
	case r.Token != "":
		s.options = append(s.options, nats.Token(r.Token))
	case r.User != "":
		s.options = append(s.options, nats.UserInfo(r.User, r.Password))
	}
	if r.CA != "" {
		pool, err := readCA(r.CA)
		if err != nil {
			return nil, fmt.Errorf("receiver %s: %w", r.Name, err)
		}
		s.options = append(s.options, nats.Secure(&tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}))
	}
	return s, nil
}

// connected returns the connection, made at the first use: a NATS that is away does not keep us from starting.
func (s *natsSender) connected() (*nats.Conn, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conn != nil && !s.conn.IsClosed() { // it closes for good when its login was refused twice
		return s.conn, nil
	}
	c, err := nats.Connect(s.url, s.options...)
	if err != nil {
		return nil, err
	}
	s.conn = c
	return c, nil
}

func (s *natsSender) send(ctx context.Context, it Item) error {
	a, err := readAbout(it.Body, "")
	if err != nil {
		return err
	}
	c, err := s.connected()
	if err == nil {
		err = ctx.Err() // to connect may have taken all the time that there is
	}
	if err != nil {
		return fmt.Errorf("nats: %w", err)
	}
	m := nats.NewMsg(s.subject)
	m.Data = it.Body
	m.Header.Set("Content-Type", "application/cloudevents+json")
	m.Header.Set("Tocsin-Kind", string(a.Kind))
	m.Header.Set("Tocsin-Incident", it.Incident)
	m.Header.Set(nats.MsgIdHdr, it.Key())
	if err := s.publish(ctx, c, m); err != nil {
		if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, nats.ErrTimeout) {
			s.close() // nobody may be at its other end: the next attempt makes another one
		}
		return natsFailed(err)
	}
	return nil
}

// publish returns once the message is taken.
func (s *natsSender) publish(ctx context.Context, c *nats.Conn, m *nats.Msg) error {
	if s.stream == "" {
		if err := c.PublishMsg(m); err != nil {
			return err
		}
		return c.FlushWithContext(ctx)
	}
	js, err := jetstream.New(c)
	if err != nil {
		return err
	}
	short, cancel := context.WithTimeout(ctx, timeout/2)
	defer cancel()
	_, err = js.PublishMsg(short, m, jetstream.WithExpectStream(s.stream), jetstream.WithRetryAttempts(0))
	return err
}

// natsFailed says whether a failure is the very message's.
func natsFailed(err error) error {
	if errors.Is(err, nats.ErrMaxPayload) {
		return fmt.Errorf("%w: nats: %w", errPermanent, err)
	}
	return fmt.Errorf("nats: %w", err)
}

func (s *natsSender) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conn == nil {
		return
	}
	closed := make(chan struct{})
	s.conn.SetClosedHandler(func(*nats.Conn) { close(closed) })
	s.conn.Close()
	select { // its goroutines end with it
	case <-closed:
	case <-time.After(time.Second):
	}
	s.conn = nil
}
