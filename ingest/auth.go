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

type authenticator struct{ tokens []*hashedToken }

type hashedToken struct {
	name   string
	sum    [32]byte
	bucket *bucket // nil: no limit
}

func newAuthenticator(tokens []Token) authenticator {
	var a authenticator
	for _, t := range tokens {
		h := &hashedToken{name: t.Name, sum: sha256.Sum256([]byte(t.Value))}
		if t.Rate > 0 {
			h.bucket = newBucket(t.Rate, time.Now())
		}
		a.tokens = append(a.tokens, h)
	}
	return a
}

// token returns the token that a request carries: as a bearer token, as the password of Basic (also from the
// URL's userinfo), or as the last part of the path. Without tokens everybody may post, under no name.
func (a authenticator) token(r *http.Request) (*hashedToken, bool) {
	if len(a.tokens) == 0 {
		return &hashedToken{}, true
	}
	given := r.PathValue("secret")
	if h := r.Header.Get("Authorization"); h != "" {
		if _, password, ok := r.BasicAuth(); ok {
			given = password
		} else if scheme, token, ok := strings.Cut(h, " "); ok && strings.EqualFold(scheme, "bearer") {
			given = strings.TrimSpace(token)
		}
	}
	sum := sha256.Sum256([]byte(given))
	var found *hashedToken
	for _, t := range a.tokens {
		if subtle.ConstantTimeCompare(sum[:], t.sum[:]) == 1 {
			found = t
		}
	}
	return found, found != nil
}
