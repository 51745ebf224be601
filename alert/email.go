// SPDX-License-Identifier: Apache-2.0

package alert

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"html"
	"net/mail"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	gomail "github.com/wneessen/go-mail"
)

const (
	// maxSubject keeps a subject readable; a line of a mail's header has 998 bytes.
	maxSubject = 200
	mailTitle  = `[{{ .Severity | toUpper }}] {{ .Title }}`
	mailText   = `{{ if ne .Kind "opened" }}This incident is {{ .Kind }}{{ with .Verdict }}: {{ . }}{{ end }}.

{{ end }}{{ .Title }}

Severity:   {{ .Severity }}
Rule:       {{ .Rule.Title }} ({{ .Rule.ID }})
{{ with .Entities }}About:      {{ join ", " . | cut 2000 }}
{{ end }}Seen:       {{ plural .EventCount "event" "events" }} in {{ plural .DetectionCount "detection" "detections" }}, {{ .FirstEvent }} to {{ .LastEvent }}
{{ with .Attack.Techniques }}Techniques: {{ join ", " . }}
{{ end }}Incident:   {{ .ID }}
{{ with .URL }}            {{ . }}
{{ end }}{{ with .MergedInto }}Joined into incident {{ . }}
{{ end }}{{ with .Description }}
{{ . }}
{{ end }}{{ with .Runbook }}
Runbook
{{ . }}
{{ end }}`
)

// email sends each alert as a mail. What is about one incident is one thread in mail programs: the first mail has a Message-ID
// of the incident, the others name it in References.
type email struct {
	host    string
	options []gomail.Option
	from    string
	to      []string
	texts   texts
	// domain is the right side of Message-IDs.
	domain   string
	external string
}

func (r Receiver) validateEmail(at string) error {
	u, err := url.Parse(r.URL)
	switch {
	case err != nil || u.Hostname() == "" || u.Scheme != "smtp" && u.Scheme != "smtps":
		return wrong(at+".url", "a mail server, as in smtp://mail.example.org:587 (STARTTLS) or smtps://mail.example.org:465 (TLS from the beginning)")
	case strings.Trim(u.Path, "/") != "" || u.RawQuery != "":
		return wrong(at+".url", "nothing follows the host and the port")
	case r.AllowPlaintext && u.Scheme == "smtps":
		return wrong(at+".allow_plaintext", "smtps has TLS from the beginning")
	}
	if _, err := mail.ParseAddress(r.From); err != nil || strings.ContainsAny(r.From, "\r\n") {
		return wrong(at+".from", "%q is no mail address: Tocsin <tocsin@example.org>", r.From)
	}
	if len(r.To) == 0 {
		return wrong(at+".to", "a list of mail addresses")
	}
	for i, to := range r.To {
		if _, err := mail.ParseAddress(to); err != nil || strings.ContainsAny(to, "\r\n") {
			return wrong(fmt.Sprintf("%s.to[%d]", at, i), "%q is no mail address", to)
		}
	}
	return r.validateCredentials(at, u.User != nil)
}

func newEmail(r Receiver, c Config) (*email, error) {
	u, err := url.Parse(r.URL)
	if err != nil {
		return nil, fmt.Errorf("receiver %s: the url is no address", r.Name)
	}
	t, err := newTexts(r, mailTitle, mailText, func(s string) string { return s })
	if err != nil {
		return nil, fmt.Errorf("receiver %s: %w", r.Name, err)
	}
	from, err := mail.ParseAddress(r.From)
	if err != nil {
		return nil, fmt.Errorf("receiver %s: from: %w", r.Name, err)
	}
	e := &email{host: u.Hostname(), from: r.From, to: r.To, texts: t, external: c.ExternalURL}
	_, e.domain, _ = strings.Cut(from.Address, "@")
	trust := &tls.Config{ServerName: u.Hostname(), MinVersion: tls.VersionTLS12}
	if trust.RootCAs, err = readCA(r.CA); err != nil {
		return nil, fmt.Errorf("receiver %s: %w", r.Name, err)
	}
	port, policy := 587, gomail.TLSMandatory
	if r.AllowPlaintext {
		port, policy = 25, gomail.TLSOpportunistic
	}
	if u.Scheme == "smtps" {
		port = 465
	}
	if p := u.Port(); p != "" {
		if port, err = strconv.Atoi(p); err != nil {
			return nil, fmt.Errorf("receiver %s: port %s is none", r.Name, p)
		}
	}
	dialer := c.guard().dialer()
	e.options = []gomail.Option{
		gomail.WithPort(port), gomail.WithTLSConfig(trust), gomail.WithTimeout(timeout / 2), gomail.WithoutNoop(), gomail.WithoutRset(), gomail.WithHELO("tocsin." + e.domain),
	}
	if u.Scheme == "smtps" {
		e.options = append(e.options, gomail.WithDialContextFunc((&tls.Dialer{NetDialer: dialer, Config: trust}).DialContext), gomail.WithSSL())
	} else {
		e.options = append(e.options, gomail.WithDialContextFunc(dialer.DialContext), gomail.WithTLSPolicy(policy))
	}
	user, password := r.User, r.Password
	if u.User != nil {
		user = u.User.Username()
		password, _ = u.User.Password()
	}
	if user != "" {
		e.options = append(e.options, gomail.WithSMTPAuth(gomail.SMTPAuthAutoDiscover), gomail.WithUsername(user), gomail.WithPassword(password))
	}
	return e, nil
}

// readCA reads whom to believe; nil is those of the system.
func readCA(file string) (*x509.CertPool, error) {
	if file == "" {
		return nil, nil
	}
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("ca: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(b) {
		return nil, fmt.Errorf("ca: %s has no certificate", file)
	}
	return pool, nil
}

// message makes the mail of an alert.
func (e *email) message(it Item, a about) (*gomail.Msg, error) {
	m := gomail.NewMsg(gomail.WithNoDefaultUserAgent())
	if err := m.From(e.from); err != nil {
		return nil, err
	}
	if err := m.To(e.to...); err != nil {
		return nil, err
	}
	title, body := e.texts.render(a)
	// What came of names and commands has no place in a header but as words on one line.
	m.Subject(ellipsis(oneLine(title), maxSubject))
	m.SetDateWithValue(it.Created)
	m.SetGenHeader("Auto-Submitted", "auto-generated")
	m.SetGenHeader("X-Tocsin-Key", it.Key())
	m.SetGenHeader("X-Tocsin-Incident", a.ID)
	root := a.ID + "." + it.Receiver + "@" + e.domain
	if a.Kind == Opened {
		m.SetMessageIDWithValue(root)
	} else {
		m.SetMessageIDWithValue(strings.ReplaceAll(it.Key(), ":", ".") + "@" + e.domain)
		m.SetGenHeader(gomail.HeaderInReplyTo, "<"+root+">")
		m.SetGenHeader(gomail.HeaderReferences, "<"+root+">")
	}
	m.SetBodyString(gomail.TypeTextPlain, body+"\n")
	m.AddAlternativeString(gomail.TypeTextHTML, "<!doctype html><html><body><pre style=\"white-space:pre-wrap;font:14px/1.4 monospace\">"+
		html.EscapeString(body)+"</pre></body></html>\n")
	return m, nil
}

// oneLine keeps what can be printed, and blanks for all that parts lines or words.
func oneLine(s string) string { return words([]byte(s)) }

func (e *email) send(ctx context.Context, it Item) error {
	a, err := readAbout(it.Body, e.external)
	if err != nil {
		return err
	}
	m, err := e.message(it, a)
	if err != nil {
		return fmt.Errorf("%w: mail: %w", errPermanent, err)
	}
	client, err := gomail.NewClient(e.host, e.options...)
	if err != nil {
		return fmt.Errorf("mail: %w", err)
	}
	// The library heeds the deadline of its own alone once it is connected.
	if end, ok := ctx.Deadline(); ok {
		if err := gomail.WithTimeout(max(time.Until(end)/2, time.Second))(client); err != nil {
			return fmt.Errorf("mail: %w", err)
		}
	}
	err = client.DialAndSendWithContext(ctx, m)
	if m.IsDelivered() {
		return nil // the server has it, whatever came after
	}
	return mailFailed(err)
}

// mailFailed says whether a failure is for good: a 5xx about the mail itself. One at the login or about TLS is mended by who runs
// this, and loses nothing meanwhile.
func mailFailed(err error) error {
	why := words([]byte(err.Error()))
	if said, ok := errors.AsType[*gomail.SendError](err); ok && said.Reason != gomail.ErrConnCheck && !said.IsTemp() {
		if code := said.ErrorCode(); code >= 500 && code < 600 {
			return fmt.Errorf("%w: mail: %s", errPermanent, why)
		}
	}
	return fmt.Errorf("mail: %s", why)
}
