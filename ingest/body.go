// SPDX-License-Identifier: Apache-2.0

package ingest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	"tocsin/event"
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
// JSON, objects one after the other or over several lines, or lines of text. The records are parts of the body, byte for byte.
func Split(body []byte) (records [][]byte, bad []Bad) {
	rest := bytes.TrimLeft(body, " \t\r\n")
	if len(rest) == 0 {
		return nil, nil
	}
	switch rest[0] {
	case '[':
		return splitArray(rest)
	case '{':
		return splitObjects(rest)
	default:
		return splitLines(rest)
	}
}

// keep sorts one record among the good or the bad ones.
func keep(raw []byte, records *[][]byte, bad *[]Bad) {
	switch err := event.CheckDepth(raw); {
	case len(raw) > MaxRecord:
		*bad = append(*bad, Bad{raw, "too_large", fmt.Errorf("%d bytes, more than %d", len(raw), MaxRecord)})
	case err != nil:
		*bad = append(*bad, Bad{raw, "too_deep", err})
	default:
		*records = append(*records, raw)
	}
}

// splitArray takes the elements of an array. What follows a malformed element cannot be trusted to
// begin anywhere, and is quarantined with it.
func splitArray(body []byte) (records [][]byte, bad []Bad) {
	d := json.NewDecoder(bytes.NewReader(body))
	if _, err := d.Token(); err != nil {
		return nil, []Bad{{body, "malformed_json", err}}
	}
	at := d.InputOffset()
	for d.More() {
		var raw json.RawMessage
		if err := d.Decode(&raw); err != nil {
			return records, append(bad, Bad{body[at:], "malformed_json", err})
		}
		at = d.InputOffset()
		element := body[at-int64(len(raw)) : at]
		if element[0] != '{' {
			bad = append(bad, Bad{element, "no_object", errors.New("an element of the array is no object")})
			continue
		}
		keep(element, &records, &bad)
	}
	if _, err := d.Token(); err != nil {
		return records, append(bad, Bad{body[at:], "malformed_json", err})
	}
	if rest := bytes.TrimSpace(body[d.InputOffset():]); len(rest) > 0 {
		more, worse := Split(rest)
		return append(records, more...), append(bad, worse...)
	}
	return records, bad
}

// splitObjects takes objects that follow each other. A malformed one is quarantined to the next newline.
func splitObjects(body []byte) (records [][]byte, bad []Bad) {
	rest := body
	for {
		rest = bytes.TrimLeft(rest, " \t\r\n,\x00")
		if len(rest) == 0 {
			return records, bad
		}
		n, err := objectLen(rest)
		if err == nil {
			keep(rest[:n], &records, &bad)
			rest = rest[n:]
			continue
		}
		end := bytes.IndexByte(rest, '\n')
		if end < 0 {
			end = len(rest)
		}
		bad = append(bad, Bad{bytes.TrimRight(rest[:end], "\r"), "malformed_json", err})
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
		if json.Valid(line) {
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

// splitLines takes each line that is not empty.
func splitLines(body []byte) (records [][]byte, bad []Bad) {
	for line := range bytes.SplitSeq(body, []byte{'\n'}) {
		line = bytes.TrimSuffix(line, []byte{'\r'})
		if len(bytes.TrimSpace(line)) == 0 {
			continue
		}
		if len(line) > MaxRecord {
			bad = append(bad, Bad{line, "too_large", fmt.Errorf("%d bytes, more than %d", len(line), MaxRecord)})
			continue
		}
		records = append(records, line)
	}
	return records, bad
}
