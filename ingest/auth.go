// SPDX-License-Identifier: Apache-2.0

package ingest

import (
	"crypto/sha256"
	"crypto/subtle"
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
}

// Authenticator knows the tokens that may post. It keeps their hashes only.
type Authenticator struct{ senders []*Sender }

// Sender is who has a token.
type Sender struct {
	// Name is the token's, "" where there are no tokens.
	Name   string
	sum    [32]byte
	bucket *bucket // nil: no limit
}

// NewAuthenticator returns an Authenticator of tokens; without any, everybody may post.
func NewAuthenticator(tokens []Token) Authenticator {
	var a Authenticator
	for _, t := range tokens {
		s := &Sender{Name: t.Name, sum: sha256.Sum256([]byte(t.Value))}
		if t.Rate > 0 {
			s.bucket = newBucket(t.Rate, time.Now())
		}
		a.senders = append(a.senders, s)
	}
	return a
}

// Open says that there are no tokens.
func (a Authenticator) Open() bool { return len(a.senders) == 0 }

// Sender returns who sends, by the token in the value of an Authorization header, as a bearer token
// or as the password of Basic, or, without that header, by a secret in the URL. Without tokens everybody
// may post, under no name (architecture.md, "Names that others rely on" and "Trust in what arrives").
func (a Authenticator) Sender(authorization, secret string) (*Sender, bool) {
	if a.Open() {
		return &Sender{}, true
	}
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
	return found, found != nil
}

// sender is Sender for a request.
func (a Authenticator) sender(r *http.Request) (*Sender, bool) {
	return a.Sender(r.Header.Get("Authorization"), r.PathValue("secret"))
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
