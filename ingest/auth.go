// SPDX-License-Identifier: Apache-2.0

package ingest

import (
	"crypto/sha256"
	"crypto/subtle"
	"net/http"
	"strings"
)

// Token lets a sender post, and names its input.
type Token struct {
	Name  string `yaml:"name" json:"name"`
	Value string `yaml:"value" json:"value"`
}

type authenticator struct{ tokens []hashedToken }

type hashedToken struct {
	name string
	sum  [32]byte
}

func newAuthenticator(tokens []Token) authenticator {
	var a authenticator
	for _, t := range tokens {
		a.tokens = append(a.tokens, hashedToken{t.Name, sha256.Sum256([]byte(t.Value))})
	}
	return a
}

// input returns the name of the token that a request carries: as a bearer token, as the password of Basic (also from the
// URL's userinfo), or as the last part of the path. Without tokens everybody may post, and the name is "".
func (a authenticator) input(r *http.Request) (string, bool) {
	if len(a.tokens) == 0 {
		return "", true
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
	name, found := "", false
	for _, t := range a.tokens {
		if subtle.ConstantTimeCompare(sum[:], t.sum[:]) == 1 {
			name, found = t.name, true
		}
	}
	return name, found
}
