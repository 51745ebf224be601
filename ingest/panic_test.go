// SPDX-License-Identifier: Apache-2.0

package ingest

import (
	"errors"
	"strings"
	"testing"

	"tocsin/event"
)

// TestAPanicInABody: an object that cannot be taken apart without a panic costs itself, what it may hold of secrets is kept by nobody, and
// of what had been taken from it by then nothing is left.
func TestAPanicInABody(t *testing.T) {
	t.Parallel()
	s := &splitter{}
	s.expand = func(raw []byte) ([][]byte, error) {
		if strings.Contains(string(raw), "bad") {
			s.keep([]byte("{}"))
			_ = raw[len(raw)]
		}
		return [][]byte{raw}, nil
	}
	s.body([]byte(`{"n":1}{"bad":"audit.k8s.io","requestObject":"hush"}{"n":2}`))
	var got []string
	for _, r := range s.records {
		got = append(got, string(r))
	}
	if strings.Join(got, "") != `{"n":1}{"n":2}` || len(s.bad) != 1 || s.bad[0].Reason != Panicked || strings.Contains(string(s.bad[0].Raw), "hush") {
		t.Errorf("records %q, bad %+v", got, s.bad)
	}
}

// TestAPanicInAParser: it is an error, and the memory that it was in is not used again.
func TestAPanicInAParser(t *testing.T) {
	t.Parallel()
	var p *Parser // which panics where it is to say whom it trusts
	e, rec := new(event.Event), event.Record{Source: "vector", Raw: []byte(`{"message":"{}","kubernetes":{"pod_namespace":"shop","container_name":"web"}}`)}
	err := p.ParseInto(e, rec, 1)
	bad, malformed := errors.AsType[*Malformed](err)
	if !malformed || bad.Reason != Panicked || !strings.Contains(err.Error(), "(*Parser).Trust") {
		t.Errorf("the error is %v", err)
	}
	if e.Original != nil || e.Object().Exists() {
		t.Errorf("what is left of it: %+v", e)
	}
}
