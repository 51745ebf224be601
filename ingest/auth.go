// SPDX-License-Identifier: Apache-2.0

package ingest

import (
	"crypto/sha256"
	"crypto/subtle"
	"crypto/x509"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// Token lets a sender post, and names its input.
type Token struct {
	Name  string `yaml:"name" json:"name"`
	Value string `yaml:"value" json:"value"`
	// Rate is how many records a second it may send, 0 as many as come.
	Rate int `yaml:"rate" json:"rate"`
	// Sources and Clusters are what it may claim; without any, whatever it likes.
	Sources  []string `yaml:"sources" json:"sources"`
	Clusters []string `yaml:"clusters" json:"clusters"`
}

// Access says who may post. Without tokens and certificates everybody may.
type Access struct {
	Tokens []Token
	// Certificates says that a client certificate that TLS has verified counts instead of a token.
	Certificates bool
	// Identities are the certificates that count; without any, all do.
	Identities []Identity
}

// Authenticator knows who may post. Of tokens it keeps the hashes only.
type Authenticator struct {
	senders      []*Sender
	certificates bool
	identities   []*Sender
}

// Sender is who has a token or a certificate.
type Sender struct {
	// Name is the token's or the certificate's, "" where there are neither.
	Name              string
	sum               [32]byte // of a token
	certificate       string   // of an identity
	bucket            *bucket  // nil: no limit
	sources, clusters []string
}

// NewAuthenticator returns an Authenticator of those who have access.
func NewAuthenticator(access Access) Authenticator {
	a := Authenticator{certificates: access.Certificates}
	for _, t := range access.Tokens {
		s := newSender(t)
		s.sum = sha256.Sum256([]byte(t.Value))
		a.senders = append(a.senders, s)
	}
	for _, i := range access.Identities {
		a.identities = append(a.identities, i.sender())
	}
	return a
}

func newSender(t Token) *Sender {
	s := &Sender{Name: t.Name, sources: t.Sources, clusters: t.Clusters}
	if t.Rate > 0 {
		s.bucket = newBucket(t.Rate, time.Now())
	}
	return s
}

// Sender returns who sends: by the client certificate that TLS has verified, nil if none, where certificates count; else by
// the token in the value of an Authorization header, as a bearer token or as the password of Basic, or, without that
// header, by a secret in the URL. Where nothing is asked for everybody may post, under no name (architecture.md, "Names
// that others rely on" and "Trust in what arrives"). The refusal is nil if the sender may post.
func (a Authenticator) Sender(cert *x509.Certificate, authorization, secret string) (*Sender, *Refusal) {
	known := cert != nil && a.certificates
	if known {
		if s := a.holder(cert); s != nil {
			return s, nil
		}
	}
	if len(a.senders) == 0 && !a.certificates {
		return &Sender{}, nil
	}
	if s := a.bearer(authorization, secret); s != nil {
		return s, nil
	}
	switch {
	case known:
		return nil, &Refusal{"certificate", fmt.Sprintf("no entry of ingest.identities has the certificate %q", certificateName(cert))}
	case a.certificates:
		return nil, &Refusal{stranger, "there is no client certificate, and the token is missing or wrong"}
	}
	return nil, &Refusal{stranger, "the token is missing or wrong"}
}

// bearer returns who has a token, nil if nobody.
func (a Authenticator) bearer(authorization, secret string) *Sender {
	given := secret
	if authorization != "" {
		basic := http.Request{Header: http.Header{"Authorization": {authorization}}}
		if _, password, ok := basic.BasicAuth(); ok {
			given = password
		} else if scheme, token, ok := strings.Cut(authorization, " "); ok && strings.EqualFold(scheme, "bearer") {
			given = strings.TrimSpace(token)
		}
	}
	sum := sha256.Sum256([]byte(given))
	var found *Sender
	for _, s := range a.senders {
		if subtle.ConstantTimeCompare(sum[:], s.sum[:]) == 1 {
			found = s
		}
	}
	return found
}

// sender is Sender for a request, and whether it may post to the source.
func (a Authenticator) sender(r *http.Request, source string) (*Sender, *Refusal) {
	s, no := a.Sender(Verified(r.TLS), r.Header.Get("Authorization"), r.PathValue("secret"))
	if no == nil {
		no = s.MayPost(source)
	}
	return s, no
}

// Wait reports how long the sender has to wait before it may send again, 0 if it may now.
func (s *Sender) Wait() time.Duration {
	if s.bucket == nil {
		return 0
	}
	return s.bucket.wait(time.Now())
}

// Took notes that so many records were taken from the sender.
func (s *Sender) Took(records int) {
	if s.bucket != nil {
		s.bucket.take(time.Now(), records)
	}
}
