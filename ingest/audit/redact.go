// SPDX-License-Identifier: Apache-2.0

package audit

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
)

// Mentions reports whether bytes could be of audit events that have bodies. Nobody writes these names with escapes.
func Mentions(raw []byte) bool { return bytes.Contains(raw, []byte(auditAPI)) && hasBodies(raw) }

const (
	auditAPI     = "audit.k8s.io"
	patchPrefix  = "patch.webhook.admission.k8s.io/"
	requestBody  = "requestObject"
	responseBody = "responseObject"
)

func hasBodies(raw []byte) bool {
	for _, name := range []string{requestBody, responseBody, patchPrefix} {
		if bytes.Contains(raw, []byte(name)) {
			return true
		}
	}
	return false
}

// Redact replaces the bodies of Secrets, tokens and token reviews by their SHA-256, and what webhooks patched in them
// (architecture.md, "Trust in what arrives"): in audit events wherever raw has them, in lists, below other keys, as text in
// texts, behind a prefix. What could hold such a body and is cut off, so that nobody can say where it ends, is withheld from
// there on. All other bytes stay as they are. Texts of JSON stay JSON.
func Redact(raw []byte) []byte {
	if !Mentions(raw) {
		return raw
	}
	opens := "{"
	switch first := bytes.TrimLeft(raw, " \t\r\n"); first[0] {
	case '"':
		if text, ok := redactText(raw); ok {
			return text
		}
	case '[': // else a brace within a text of the list would be taken for the beginning of an object
		if json.Valid(raw) {
			opens = "[{"
		}
	}
	var out []byte
	done := 0
	for at := 0; ; {
		open := bytes.IndexAny(raw[at:], opens)
		if open < 0 {
			break
		}
		at += open
		edits, n, err := find(raw[at:])
		if err != nil {
			if hasBodies(raw[at:]) {
				return append(append(out, raw[done:at]...), Withhold(raw[at:])...)
			}
			break
		}
		for _, e := range edits {
			if start := at + e.start; start >= done { // else it is within what is replaced already
				out = append(append(out, raw[done:start]...), e.by...)
				done = at + e.end
			}
		}
		at += n
	}
	if done == 0 {
		return raw
	}
	return append(out, raw[done:]...)
}

// redactText redacts what a text in JSON says; it reports whether raw is one.
func redactText(raw []byte) ([]byte, bool) {
	var text string
	if json.Unmarshal(raw, &text) != nil {
		return nil, false
	}
	by := Redact([]byte(text))
	if string(by) == text {
		return raw, true
	}
	out, err := json.Marshal(string(by))
	return out, err == nil
}

// Withhold says how much is not shown, and its hash.
func Withhold(raw []byte) []byte {
	sum := sha256.Sum256(raw)
	return fmt.Appendf(nil, "[withheld: %d bytes that may hold a secret, sha256 %s]", len(raw), hex.EncodeToString(sum[:]))
}

func redacted(body []byte) []byte {
	sum := sha256.Sum256(body)
	return []byte(`{"redacted":true,"sha256":"` + hex.EncodeToString(sum[:]) + `"}`)
}

// edit replaces a part of a text.
type edit struct {
	start, end int
	by         []byte
}

// frame is an object or array that is open.
type frame struct {
	start  int
	object bool
	key    string // of the member at hand
	isKey  bool   // a key comes next
	// What the object says of itself, were it a body or a reference.
	kind, resource, subresource string
	secret                      bool
	bodies                      []edit // to be made if the object is of a secret
}

// find returns what to replace in the object that raw begins with, in order, and the object's length.
func find(raw []byte) ([]edit, int, error) {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var stack []frame
	var edits []edit
	for {
		start := int(d.InputOffset())
		for start < len(raw) && bytes.IndexByte([]byte(" \t\r\n,:"), raw[start]) >= 0 {
			start++
		}
		token, err := d.Token()
		if err != nil {
			return nil, 0, err
		}
		end := int(d.InputOffset())
		closed := frame{start: start}
		switch t := token.(type) {
		case json.Delim:
			if t == '{' || t == '[' {
				stack = append(stack, frame{start: start, object: t == '{', isKey: t == '{'})
				continue
			}
			closed = stack[len(stack)-1]
			stack = stack[:len(stack)-1]
			if closed.secret {
				edits = slices.Concat(closed.bodies, edits) // a body goes before texts within it
			}
		case string:
			top := &stack[len(stack)-1]
			if top.isKey {
				top.key, top.isKey = t, false
				continue
			}
			if by := Redact([]byte(t)); string(by) != t {
				text, err := json.Marshal(string(by))
				if err != nil {
					return nil, 0, err
				}
				edits = append(edits, edit{start, end, text})
			}
			top.says(t)
		}
		if len(stack) == 0 {
			slices.SortStableFunc(edits, func(a, b edit) int { return cmp.Or(cmp.Compare(a.start, b.start), cmp.Compare(b.end, a.end)) })
			return edits, end, nil
		}
		top := &stack[len(stack)-1]
		top.holds(closed, raw, end)
		top.isKey = top.object
	}
}

// says notes a text of the object.
func (f *frame) says(text string) {
	switch f.key {
	case "kind":
		f.kind = text
	case "resource":
		f.resource = text
	case "subresource":
		f.subresource = text
	}
}

// holds notes a value of the object that ends at end; v says what it is if it is an object or array.
func (f *frame) holds(v frame, raw []byte, end int) {
	if !f.object {
		return
	}
	value := raw[v.start:end]
	switch {
	case f.key == "objectRef":
		f.secret = f.secret || v.secretReference()
	case f.key == requestBody || f.key == responseBody:
		f.secret = f.secret || v.secretBody()
		if string(value) != "null" {
			f.bodies = append(f.bodies, edit{v.start, end, redacted(value)})
		}
	case f.key == "annotations":
		f.bodies = append(f.bodies, v.bodies...)
	case len(f.key) > len(patchPrefix) && f.key[:len(patchPrefix)] == patchPrefix:
		f.bodies = append(f.bodies, edit{v.start, end, redacted(value)})
	}
}

// secretReference reports whether bodies of requests for the object hold what nobody may read.
func (f *frame) secretReference() bool {
	return f.resource == "secrets" || f.resource == "tokenreviews" || f.resource == "serviceaccounts" && f.subresource == "token"
}

// secretBody reports the same of a body by itself: a reference may be missing.
func (f *frame) secretBody() bool {
	switch f.kind {
	case "Secret", "SecretList", "TokenReview", "TokenRequest":
		return true
	}
	return false
}
