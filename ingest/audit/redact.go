// SPDX-License-Identifier: Apache-2.0

package audit

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"strconv"
)

// reference is what redaction needs of an event's objectRef.
type reference struct {
	Resource, Subresource string
}

// secret reports whether bodies of requests for the object hold what nobody may read.
func (r reference) secret() bool {
	return r.Resource == "secrets" || r.Resource == "tokenreviews" || r.Resource == "serviceaccounts" && r.Subresource == "token"
}

// Redact replaces the bodies of Secrets, tokens and token reviews in a record that is an audit event, or has one as text
// in `message`, by their SHA-256 (architecture.md, "Trust in what arrives"). All other bytes stay as they are, and so do
// records of any other kind.
func Redact(raw []byte) []byte {
	if !bytes.Contains(raw, []byte(apiGroup)) || !bytes.Contains(raw, []byte("Object")) {
		return raw
	}
	ms, err := members(raw)
	if err != nil {
		return raw
	}
	secret := false
	for _, m := range ms {
		if m.key == "objectRef" {
			var ref reference
			_ = json.Unmarshal(raw[m.start:m.end], &ref) // what is no reference names no secret
			secret = secret || ref.secret()
		}
	}
	var out []byte
	done := 0
	replace := func(m member, by []byte) {
		out = append(append(out, raw[done:m.start]...), by...)
		done = m.end
	}
	for _, m := range ms {
		value := raw[m.start:m.end]
		switch m.key {
		case "requestObject", "responseObject":
			if secret && string(value) != "null" {
				sum := sha256.Sum256(value)
				replace(m, []byte(`{"redacted":true,"sha256":"`+hex.EncodeToString(sum[:])+`"}`))
			}
		case "message", "log":
			var text string
			if json.Unmarshal(value, &text) != nil {
				continue
			}
			if clean := Redact([]byte(text)); string(clean) != text {
				quoted, err := json.Marshal(string(clean))
				if err != nil {
					quoted = []byte(strconv.Quote("redacted"))
				}
				replace(m, quoted)
			}
		}
	}
	if done == 0 {
		return raw
	}
	return append(out, raw[done:]...)
}
