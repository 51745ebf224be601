// SPDX-License-Identifier: Apache-2.0

package lokitest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// jsonPush is a push as JSON has it. A value is the nanoseconds as text, the line, and the metadata if there is any.
type jsonPush struct {
	Streams []jsonStream `json:"streams"`
}

type jsonStream struct {
	Stream map[string]string   `json:"stream"`
	Values [][]json.RawMessage `json:"values"`
}

// EncodeJSON prints a push as JSON, on one line and with sorted names: the one spelling that [Decode] takes.
func EncodeJSON(p Push) ([]byte, error) {
	out := jsonPush{Streams: []jsonStream{}}
	for _, s := range p.Streams {
		js := jsonStream{Stream: toMap(s.Labels), Values: [][]json.RawMessage{}}
		for _, e := range s.Entries {
			parts := []any{strconv.FormatInt(e.Time.UnixNano(), 10), e.Line}
			if len(e.Metadata) > 0 {
				parts = append(parts, toMap(e.Metadata))
			}
			var value []json.RawMessage
			for _, x := range parts {
				b, err := marshal(x)
				if err != nil {
					return nil, err
				}
				value = append(value, b)
			}
			js.Values = append(js.Values, value)
		}
		out.Streams = append(out.Streams, js)
	}
	return marshal(out)
}

func marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, fmt.Errorf("print JSON: %w", err)
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// DecodeJSON reads a push in JSON.
func DecodeJSON(b []byte) (Push, error) {
	var in jsonPush
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&in); err != nil {
		return Push{}, fmt.Errorf("read JSON: %w", err)
	}
	var p Push
	for _, js := range in.Streams {
		s := Stream{Labels: fromMap(js.Stream)}
		for _, v := range js.Values {
			e, err := decodeValue(v)
			if err != nil {
				return Push{}, err
			}
			s.Entries = append(s.Entries, e)
		}
		p.Streams = append(p.Streams, s)
	}
	return p, nil
}

func decodeValue(v []json.RawMessage) (Entry, error) {
	var e Entry
	if len(v) != 2 && len(v) != 3 {
		return e, fmt.Errorf("a value has %d parts, not time, line and metadata", len(v))
	}
	var at string
	if err := json.Unmarshal(v[0], &at); err != nil {
		return e, fmt.Errorf("time: %w", err)
	}
	nanos, err := strconv.ParseInt(at, 10, 64)
	if err != nil {
		return e, fmt.Errorf("time: %w", err)
	}
	e.Time = time.Unix(0, nanos).UTC()
	if err := json.Unmarshal(v[1], &e.Line); err != nil {
		return e, fmt.Errorf("line: %w", err)
	}
	if len(v) == 3 {
		var m map[string]string
		if err := json.Unmarshal(v[2], &m); err != nil {
			return e, fmt.Errorf("structured metadata: %w", err)
		}
		e.Metadata = fromMap(m)
	}
	return e, nil
}

func toMap(ps []Pair) map[string]string {
	out := make(map[string]string, len(ps))
	for _, p := range ps {
		out[p.Name] = p.Value
	}
	return out
}

func fromMap(m map[string]string) []Pair {
	var out []Pair
	for name, value := range m {
		out = append(out, Pair{name, value})
	}
	slices.SortFunc(out, func(a, b Pair) int { return strings.Compare(a.Name, b.Name) })
	return out
}
