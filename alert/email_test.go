// SPDX-License-Identifier: Apache-2.0

package alert

import (
	"bytes"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net"
	"net/mail"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-smtp"
)

func mailItem(t *testing.T, kind Kind, revision int64) Item {
	t.Helper()
	v := testIncident(1, revision)
	body, err := Body(Message{Kind: kind, Receiver: "mail", Incident: v})
	if err != nil {
		t.Fatal(err)
	}
	return Item{Incident: v.ID, Revision: revision, Receiver: "mail", Kind: kind, Body: body, Created: time.Now()}
}

func sendMail(t *testing.T, r Receiver, items ...Item) error {
	t.Helper()
	r.Name, r.Type, r.From, r.To = "mail", Email, "Tocsin <tocsin@example.org>", []string{"soc@example.org", "Ana <ana@example.org>"}
	if err := (Config{Receivers: []Receiver{r}}).Validate(); err != nil {
		t.Fatal(err)
	}
	e, err := newEmail(r, Config{ExternalURL: "https://tocsin.example.org"})
	if err != nil {
		t.Fatal(err)
	}
	for _, it := range items {
		if err := e.send(t.Context(), it); err != nil {
			return err
		}
	}
	return nil
}

// TestMailIsThreadedAndClean: what is about an incident is a thread, and nothing that an attacker wrote is a header.
func TestMailIsThreadedAndClean(t *testing.T) {
	t.Parallel()
	s, address, ca := serveMail(t, true)
	r := Receiver{URL: address, User: "tocsin", Password: "hush", CA: ca}
	if err := sendMail(t, r, mailItem(t, Opened, 1), mailItem(t, Closed, 2)); err != nil {
		t.Fatal(err)
	}
	if len(s.mails) != 2 {
		t.Fatalf("%d mails", len(s.mails))
	}
	var root string
	for i, raw := range s.mails {
		m, err := mail.ReadMessage(bytes.NewReader(raw))
		if err != nil {
			t.Fatal(err)
		}
		subject, err := new(mime.WordDecoder).DecodeHeader(m.Header.Get("Subject"))
		if err != nil || m.Header.Get("Bcc") != "" || len([]rune(subject)) > maxSubject || !strings.HasPrefix(subject, "[HIGH] <!channel>") || strings.ContainsAny(subject, "\r\n\x00\u202e") {
			t.Errorf("subject %q, %v; headers %v", subject, err, m.Header)
		}
		if i == 0 {
			root = m.Header.Get("Message-Id")
		} else if m.Header.Get("References") != root || m.Header.Get("In-Reply-To") != root || m.Header.Get("Message-Id") == root {
			t.Errorf("no thread of %s: %v", root, m.Header)
		}
		if key := m.Header.Get("X-Tocsin-Key"); !strings.HasSuffix(key, []string{":mail:1", ":mail:2"}[i]) {
			t.Errorf("key %q", key)
		}
		_, params, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
		if err != nil {
			t.Fatal(err)
		}
		parts := multipart.NewReader(m.Body, params["boundary"])
		for _, want := range []string{"https://tocsin.example.org/incidents/" + testIncident(1, 1).ID, "&lt;!channel&gt;"} {
			p, err := parts.NextRawPart()
			if err != nil {
				t.Fatal(err)
			}
			text, err := io.ReadAll(quotedprintable.NewReader(p))
			if err != nil || !strings.Contains(string(text), want) {
				t.Errorf("%s: %v\n%s\nhas no %q", p.Header.Get("Content-Type"), err, text, want)
			}
		}
	}
}

// TestMailThatIsNotTaken: without TLS nothing is sent, nor to a server that nobody vouches for; a login that fails may be mended, a
// recipient that there is not is for good.
func TestMailThatIsNotTaken(t *testing.T) {
	t.Parallel()
	s, address, ca := serveMail(t, true)
	bare, plainAddress, _ := serveMail(t, false)
	bare.open = true
	in := Receiver{User: "tocsin", Password: "hush", CA: ca, URL: address}
	it := mailItem(t, Opened, 1)
	try := func(change func(*Receiver)) error {
		r := in
		change(&r)
		return sendMail(t, r, it)
	}
	for name, change := range map[string]func(*Receiver){
		"no TLS":           func(r *Receiver) { r.URL, r.CA = plainAddress, "" },
		"an unknown CA":    func(r *Receiver) { r.CA = "" },
		"a wrong password": func(r *Receiver) { r.Password = "wrong" },
		"nobody there":     func(r *Receiver) { r.URL = "smtp://127.0.0.1:1" },
	} {
		if err := try(change); err == nil || errors.Is(err, errPermanent) || strings.Contains(err.Error(), "hush") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if len(bare.mails)+len(s.mails) != 0 {
		t.Errorf("%d mails went out", len(bare.mails)+len(s.mails))
	}
	if err := try(func(r *Receiver) { r.URL, r.CA, r.AllowPlaintext, r.User, r.Password = plainAddress, "", true, "", "" }); err != nil || len(bare.mails) != 1 {
		t.Errorf("allowed to be plain: %v, %d mails", err, len(bare.mails))
	}
	for code, forGood := range map[int]bool{451: false, 550: true} {
		s.mu.Lock()
		s.rcpt = &smtp.SMTPError{Code: code, Message: "no"}
		s.mu.Unlock()
		if err := try(func(*Receiver) {}); err == nil || errors.Is(err, errPermanent) != forGood {
			t.Errorf("%d: %v", code, err)
		}
	}
}

// TestMailServerThatSaysNothing is left after a while: the attempt ends, and is no success.
func TestMailServerThatSaysNothing(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	start := time.Now()
	err = sendMail(t, Receiver{URL: "smtp://" + l.Addr().String()}, mailItem(t, Opened, 1))
	if err == nil || errors.Is(err, errPermanent) || time.Since(start) > timeout+5*time.Second {
		t.Errorf("after %v: %v", time.Since(start), err)
	}
}
