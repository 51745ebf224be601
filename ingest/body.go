// SPDX-License-Identifier: Apache-2.0

package ingest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	"tocsin/event"
	"tocsin/event/value"
	"tocsin/ingest/audit"
)

// MaxRecord is the largest Record, in bytes; a larger one is quarantined.
const MaxRecord = 1 << 20

// Bad is a part of a body that is no Record.
type Bad struct {
	Raw    []byte
	Reason string
	Err    error
}

// Split cuts a body into Records, whatever framing it came in (protocols.md 3.1): a JSON array, lines of
// JSON, objects one after the other or over several lines, or lines of text. The records are parts of the body, byte for byte,
// but for the bodies of Secrets in audit events ([audit.Redact]).
func Split(body []byte) (records [][]byte, bad []Bad) {
	s := &splitter{}
	s.body(body)
	return s.records, s.bad
}

// splitAudit is Split for the endpoint of the Kubernetes API server, whose EventLists are records for each of their items.
func splitAudit(body []byte) (records [][]byte, bad []Bad) {
	s := &splitter{expand: audit.Expand}
	s.body(body)
	return s.records, s.bad
}

// splitter collects what a body is made of.
type splitter struct {
	// expand takes a list apart; nil where there are none.
	expand func([]byte) ([][]byte, error)
	// secret says that the body may hold secrets: of what cannot be read nobody knows which part does.
	secret  bool
	records [][]byte
	bad     []Bad
}

func (s *splitter) refuse(raw []byte, reason string, err error) {
	switch {
	case !s.secret:
	case reason == "malformed_json", reason == Panicked:
		raw = audit.Withhold(raw)
	default:
		raw = audit.Redact(raw)
	}
	s.bad = append(s.bad, Bad{raw, reason, err})
}

// body splits a whole body; some senders begin a text with a mark of its byte order.
func (s *splitter) body(body []byte) {
	s.secret = audit.Mentions(body)
	s.split(bytes.TrimPrefix(body, []byte("\uFEFF")))
}

func (s *splitter) split(body []byte) {
	rest := bytes.TrimLeft(body, " \t\r\n")
	if len(rest) == 0 {
		return
	}
	switch rest[0] {
	case '[':
		s.array(rest)
	case '{':
		s.objects(rest)
	default:
		s.lines(rest)
	}
}

// object sorts an object among the good or the bad ones; one that this ends in a panic for is a bad one.
func (s *splitter) object(raw []byte) {
	records, bad := len(s.records), len(s.bad)
	if bug := event.Guard(func() { s.sort(raw) }); bug != nil {
		s.records, s.bad = s.records[:records], s.bad[:bad]
		s.refuse(raw, Panicked, bug)
	}
}

// sort takes from an object what nobody may read, and takes it apart if it is a list.
func (s *splitter) sort(raw []byte) {
	raw = audit.Redact(raw) // before it is taken apart: a list's items need not say what they are
	if s.expand == nil {
		s.keep(raw)
		return
	}
	parts, err := s.expand(raw)
	if err != nil {
		s.refuse(raw, "malformed_json", err)
		return
	}
	for _, part := range parts {
		if !bytes.HasPrefix(part, []byte("{")) {
			s.refuse(part, "no_object", errors.New("an item of the list is no object"))
			continue
		}
		s.keep(part)
	}
}

// keep takes an object as a record.
func (s *splitter) keep(raw []byte) {
	switch err := event.CheckDepth(raw); {
	case len(raw) > MaxRecord:
		s.refuse(raw, "too_large", fmt.Errorf("%d bytes, more than %d", len(raw), MaxRecord))
	case err != nil:
		s.refuse(raw, "too_deep", err)
	default:
		s.records = append(s.records, raw)
	}
}

// array takes the elements of an array. What follows a malformed element cannot be trusted to
// begin anywhere, and is quarantined with it.
func (s *splitter) array(body []byte) {
	d := json.NewDecoder(bytes.NewReader(body))
	if _, err := d.Token(); err != nil {
		s.refuse(body, "malformed_json", err)
		return
	}
	at := d.InputOffset()
	for d.More() {
		var raw json.RawMessage
		if err := d.Decode(&raw); err != nil {
			s.refuse(body[at:], "malformed_json", err)
			return
		}
		at = d.InputOffset()
		element := body[at-int64(len(raw)) : at]
		if element[0] != '{' {
			s.refuse(element, "no_object", errors.New("an element of the array is no object"))
			continue
		}
		s.object(element)
	}
	if _, err := d.Token(); err != nil {
		s.refuse(body[at:], "malformed_json", err)
		return
	}
	s.split(body[d.InputOffset():])
}

// objects takes objects that follow each other. A malformed one is quarantined to the next newline.
func (s *splitter) objects(body []byte) {
	rest := body
	for {
		rest = bytes.TrimLeft(rest, " \t\r\n,\x00")
		if len(rest) == 0 {
			return
		}
		n, err := objectLen(rest)
		if err == nil {
			s.object(rest[:n])
			rest = rest[n:]
			continue
		}
		end := bytes.IndexByte(rest, '\n')
		if end < 0 {
			end = len(rest)
		}
		s.refuse(bytes.TrimRight(rest[:end], "\r"), "malformed_json", err)
		rest = rest[end:]
	}
}

// objectLen returns the length of the JSON object that b begins with.
func objectLen(b []byte) (int, error) {
	if b[0] != '{' {
		return 0, errors.New("no JSON object begins here")
	}
	if end := bytes.IndexByte(b, '\n'); end > 0 {
		// Most often a line is an object; else the decoder would read ahead for each.
		line := bytes.TrimRight(b[:end], " \t\r")
		if value.Valid(line) {
			return len(line), nil
		}
	}
	d := json.NewDecoder(bytes.NewReader(b))
	var raw json.RawMessage
	if err := d.Decode(&raw); err != nil {
		return 0, err
	}
	return int(d.InputOffset()), nil
}

// lines takes each line that is not empty.
func (s *splitter) lines(body []byte) {
	for line := range bytes.SplitSeq(body, []byte{'\n'}) {
		line = bytes.TrimSuffix(line, []byte{'\r'})
		whole := line
		if bug := event.Guard(func() { line = audit.Redact(line) }); bug != nil {
			s.refuse(whole, Panicked, bug)
			continue
		}
		switch {
		case len(bytes.TrimSpace(line)) == 0:
		case len(line) > MaxRecord:
			s.refuse(line, "too_large", fmt.Errorf("%d bytes, more than %d", len(line), MaxRecord))
		default:
			s.records = append(s.records, line)
		}
	}
}
