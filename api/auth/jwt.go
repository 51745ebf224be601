// SPDX-License-Identifier: Apache-2.0

package auth

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// looksRight says what is wrong with a token before anything is verified, as far as that can be told from its own words. It
// only refuses: what it lets pass is still to be verified.
func (o *OIDC) looksRight(text string) *Refusal {
	switch parts := strings.Count(text, ".") + 1; {
	case parts == 5:
		return unproven(MalformedToken, "the token is encrypted (a JWE), which only the provider can read: at Auth0, ask for it with audience="+o.Audience)
	case parts != 3:
		return unproven(MalformedToken, "this is neither a token of this server nor a JWT: an opaque token of Auth0 becomes one when it is asked for with audience="+o.Audience)
	}
	head, rest, _ := strings.Cut(text, ".")
	body, _, _ := strings.Cut(rest, ".")
	var header struct{ Alg, Typ string }
	var claims struct{ Iss string }
	if decode(head, &header) != nil || decode(body, &claims) != nil {
		return unproven(MalformedToken, "the token is no JWT: its header or its claims are no base64url of a JSON object")
	}
	typ := strings.TrimPrefix(strings.ToLower(header.Typ), "application/")
	switch {
	case !slices.Contains(o.Algorithms, header.Alg):
		return unproven(WrongAlgorithm, fmt.Sprintf("the token is signed with %q; taken are %s", short(header.Alg), strings.Join(o.Algorithms, ", ")))
	case typ != "" && typ != "jwt" && typ != "at+jwt":
		return unproven(WrongKind, fmt.Sprintf("this is a token of the type %q: send the access token", short(header.Typ)))
	case claims.Iss != o.Issuer:
		return unproven(WrongIssuer, fmt.Sprintf("the token is of the issuer %q, not of %q: they have to be the same, to the last slash", short(claims.Iss), o.Issuer))
	}
	return nil
}

func decode(part string, into any) error {
	b, err := base64.RawURLEncoding.DecodeString(part)
	if err != nil {
		return err
	}
	return json.Unmarshal(b, into)
}

// short bounds what is repeated of what was sent.
func short(s string) string {
	if len(s) > 200 {
		return strings.ToValidUTF8(s[:200], "") + "…"
	}
	return s
}
