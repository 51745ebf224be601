// SPDX-License-Identifier: Apache-2.0

package ingest_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"tocsin/ingest"
	"tocsin/ingest/vectortest"
)

func TestSplitReadsEveryFraming(t *testing.T) {
	t.Parallel()
	deep := strings.Repeat("[", 70) + strings.Repeat("]", 70)
	tests := []struct {
		name, body string
		want       []string
		bad        []string // reasons
	}{
		{"empty", " \n ", nil, nil},
		{"array", `[{"a":1},{"b":2}]`, []string{`{"a":1}`, `{"b":2}`}, nil},
		{"array with spaces", "[ {\"a\":1} ,\n {\"b\":2} ]", []string{`{"a":1}`, `{"b":2}`}, nil},
		{"lines", "{\"a\":1}\n{\"b\":2}", []string{`{"a":1}`, `{"b":2}`}, nil},
		{"lines with CR", "{\"a\":1}\r\n{\"b\":2}\r\n", []string{`{"a":1}`, `{"b":2}`}, nil},
		{"one after the other", `{"a":1}{"b":2}`, []string{`{"a":1}`, `{"b":2}`}, nil},
		{"pretty", "{\n  \"a\": 1\n}\n{\n \"b\": 2\n}", []string{"{\n  \"a\": 1\n}", "{\n \"b\": 2\n}"}, nil},
		{"single", `{"a":{"b":[1,2]}}`, []string{`{"a":{"b":[1,2]}}`}, nil},
		{"text", "one\ntwo\n\nthree\n", []string{"one", "two", "three"}, nil},
		{"a bad line costs itself", "{\"a\":1}\n{\"b\": oops}\n{\"c\":3}", []string{`{"a":1}`, `{"c":3}`}, []string{"malformed_json"}},
		{"a cut line at the end", "{\"a\":1}\n{\"b\":", []string{`{"a":1}`}, []string{"malformed_json"}},
		{"no object in an array", `[{"a":1},5,"x",{"b":2}]`, []string{`{"a":1}`, `{"b":2}`}, []string{"no_object", "no_object"}},
		{"a cut array", `[{"a":1},{"b":`, []string{`{"a":1}`}, []string{"malformed_json"}},
		{"too deep", `{"a":1}` + "\n" + `{"b":` + deep + `}` + "\n" + `{"c":1}`, []string{`{"a":1}`, `{"c":1}`}, []string{"too_deep"}},
		{"too large", `{"a":"` + strings.Repeat("x", ingest.MaxRecord) + `"}` + "\n" + `{"c":1}`, []string{`{"c":1}`}, []string{"too_large"}},
		{"brackets in strings", `{"a":"[[[[{{{{\"]"}`, []string{`{"a":"[[[[{{{{\"]"}`}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			records, bad := ingest.Split([]byte(tt.body))
			if len(records) != len(tt.want) {
				t.Fatalf("%d records, want %d: %q", len(records), len(tt.want), records)
			}
			for i, r := range records {
				if string(r) != tt.want[i] {
					t.Errorf("record %d is %s, want %s", i, r, tt.want[i])
				}
			}
			if len(bad) != len(tt.bad) {
				t.Fatalf("bad %v, want %v", bad, tt.bad)
			}
			for i, b := range bad {
				if b.Reason != tt.bad[i] {
					t.Errorf("bad %d is %s, want %s", i, b.Reason, tt.bad[i])
				}
			}
		})
	}
}

func TestDecompress(t *testing.T) {
	t.Parallel()
	plain := []byte(strings.Repeat(`{"user.name":"ana"}`+"\n", 1000))
	for _, c := range vectortest.Compressions {
		packed, encoding, err := vectortest.Compress(c, plain)
		if err != nil {
			t.Fatal(err)
		}
		got, err := ingest.Decompress(encoding, packed, 0)
		if err != nil || !bytes.Equal(got, plain) {
			t.Errorf("%s: %v", encoding, err)
		}
		if encoding == "" {
			continue
		}
		if _, err := ingest.Decompress(encoding, packed[:len(packed)/2], 0); err == nil || errors.Is(err, ingest.ErrTooLarge) {
			t.Errorf("%s, cut: %v", encoding, err)
		}
		bomb, _, err := vectortest.Compress(c, make([]byte, 8<<20))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := ingest.Decompress(encoding, bomb, 4<<20); !errors.Is(err, ingest.ErrTooLarge) {
			t.Errorf("%s, bomb: %v", encoding, err)
		}
	}
	if _, err := ingest.Decompress("br", plain, 0); !errors.Is(err, ingest.ErrEncoding) {
		t.Errorf("br: %v", err)
	}
	if _, err := ingest.Decompress("", make([]byte, 100), 99); !errors.Is(err, ingest.ErrTooLarge) {
		t.Errorf("over the cap: %v", err)
	}
}

func FuzzSplit(f *testing.F) {
	for _, s := range []string{`[{"a":1},{"b":2}]`, "{\"a\":1}\n{\"b\":2}", `{"a":1}{"b":`, "text\nline", "[5,", "{}\x00{}"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		records, bad := ingest.Split(body)
		n := 0
		for _, r := range records {
			n += len(r)
			if len(r) == 0 {
				t.Error("an empty record")
			}
			if trimmed := bytes.TrimLeft(body, " \t\r\n"); len(trimmed) > 0 && (trimmed[0] == '{' || trimmed[0] == '[') && r[0] == '{' && !json.Valid(r) {
				t.Errorf("a record is no JSON: %q", r)
			}
		}
		for _, b := range bad {
			n += len(b.Raw)
		}
		if n > len(body) {
			t.Errorf("%d bytes of records from %d", n, len(body))
		}
	})
}

func FuzzDecompress(f *testing.F) {
	for _, c := range vectortest.Compressions {
		packed, encoding, err := vectortest.Compress(c, []byte(`{"a":1}`))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(encoding, packed)
	}
	f.Fuzz(func(t *testing.T, encoding string, body []byte) {
		out, err := ingest.Decompress(encoding, body, 1<<20)
		if err == nil && len(out) > 1<<20 {
			t.Errorf("%d bytes are over the cap", len(out))
		}
	})
}
