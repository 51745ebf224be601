// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// contract is an OpenAPI document, as far as it is needed here.
type contract struct {
	Paths      map[string]map[string]operation
	Components struct{ Schemas map[string]*shape }
}

type operation struct {
	OperationID string `json:"operationId"`
	Parameters  []struct {
		Name, In string
		Required bool
		Schema   *shape
	}
	RequestBody struct {
		Content map[string]struct{ Schema *shape }
	}
	Responses map[string]struct {
		Content map[string]struct{ Schema *shape }
	}
}

// shape is a schema.
type shape struct {
	Ref                  string `json:"$ref"`
	Type                 any
	Properties           map[string]*shape
	Required             []string
	AdditionalProperties any
	Items                *shape
	Enum                 []any
	Format               string
}

func (c *contract) shape(s *shape) *shape {
	if s != nil && s.Ref != "" {
		return c.Components.Schemas[strings.TrimPrefix(s.Ref, "#/components/schemas/")]
	}
	return s
}

func (s *shape) types() []string {
	switch t := s.Type.(type) {
	case string:
		return []string{t}
	case []any:
		var out []string
		for _, x := range t {
			out = append(out, fmt.Sprint(x))
		}
		return out
	}
	return nil
}

func typeName(v any) string {
	switch v := v.(type) {
	case nil:
		return "null"
	case bool:
		return "boolean"
	case string:
		return "string"
	case json.Number:
		if _, err := v.Int64(); err == nil {
			return "integer"
		}
		return "number"
	case []any:
		return "array"
	}
	return "object"
}

// mismatch says where a value is not what a schema has, "" if it is.
func (c *contract) mismatch(s *shape, v any, at string) string {
	if s = c.shape(s); s == nil {
		return ""
	}
	name := typeName(v)
	if ts := s.types(); len(ts) > 0 && !slices.Contains(ts, name) && (name != "integer" || !slices.Contains(ts, "number")) {
		return fmt.Sprintf("%s is %s, not %v", at, name, ts)
	}
	if len(s.Enum) > 0 && !slices.ContainsFunc(s.Enum, func(e any) bool { return fmt.Sprint(e) == fmt.Sprint(v) }) {
		return fmt.Sprintf("%s is %v, not one of %v", at, v, s.Enum)
	}
	switch v := v.(type) {
	case string:
		if _, err := time.Parse(time.RFC3339Nano, v); s.Format == "date-time" && err != nil {
			return fmt.Sprintf("%s is %q, no time", at, v)
		}
	case []any:
		for i, x := range v {
			if m := c.mismatch(s.Items, x, fmt.Sprintf("%s[%d]", at, i)); m != "" {
				return m
			}
		}
	case map[string]any:
		for _, name := range s.Required {
			if _, ok := v[name]; !ok {
				return at + " lacks " + name
			}
		}
		for name, x := range v {
			p, known := s.Properties[name]
			if more, ok := s.AdditionalProperties.(bool); !known && ok && !more {
				return at + " has " + name + ", which the document has not"
			}
			if m := c.mismatch(p, x, at+"."+name); m != "" {
				return m
			}
		}
	}
	return ""
}

// texts are values that are good for something, and some that are good for nothing.
func texts(known []string) *rapid.Generator[string] {
	return rapid.OneOf(
		rapid.SampledFrom(append(known, "", "x", "0", "-1", "7.0", "0.0", "9223372036854775807.0", "24h", "2026-11-01T00:00:00Z", "9999-01-01T00:00:00Z", "high", "closed,new", "user:ana", ":",
			`user.name == "ana"`, "exists(", "T1110", strings.Repeat("0", 32), "%00", "\x00", "ÿ", "../..", "merged", "pending", "benign", "null", "true", "1e400")),
		rapid.String(),
	)
}

// value draws JSON that is what a schema has, mostly.
func (c *contract) value(t *rapid.T, s *shape, known []string) any {
	s = c.shape(s)
	if s == nil || rapid.IntRange(0, 9).Draw(t, "nonsense") == 0 {
		return rapid.SampledFrom([]any{nil, 1, -1, 1.5, "x", "", []any{}, map[string]any{}, true}).Draw(t, "any")
	}
	if len(s.Enum) > 0 {
		return rapid.SampledFrom(s.Enum).Draw(t, "one of")
	}
	switch ts := s.types(); {
	case slices.Contains(ts, "object"):
		out := make(map[string]any)
		for _, name := range slices.Sorted(maps.Keys(s.Properties)) {
			if slices.Contains(s.Required, name) || rapid.Bool().Draw(t, name) {
				out[name] = c.value(t, s.Properties[name], known)
			}
		}
		return out
	case slices.Contains(ts, "array"):
		var out []any
		for range rapid.IntRange(0, 3).Draw(t, "items") {
			out = append(out, c.value(t, s.Items, known))
		}
		return out
	case slices.Contains(ts, "integer"):
		return rapid.Int64().Draw(t, "integer")
	case slices.Contains(ts, "boolean"):
		return rapid.Bool().Draw(t, "boolean")
	}
	return texts(known).Draw(t, "text")
}

// request draws one for an operation: what it takes, and what it does not.
func (c *contract) request(ctx context.Context, t *rapid.T, base, method, path string, op operation, known []string) *http.Request {
	query, header := url.Values{}, http.Header{}
	for _, p := range op.Parameters {
		v := texts(known).Draw(t, p.Name)
		if slices.Contains(p.Schema.types(), "integer") && rapid.Bool().Draw(t, "a number") {
			v = fmt.Sprint(rapid.IntRange(-1, 501).Draw(t, p.Name))
		}
		switch p.In {
		case "path":
			if v == "" || v == "." || v == ".." {
				v = "x" // else it is another path
			}
			path = strings.ReplaceAll(path, "{"+p.Name+"}", url.PathEscape(v))
		case "query":
			if rapid.IntRange(0, 2).Draw(t, "given") == 0 {
				query.Add(p.Name, v)
			}
		case "header":
			if v = strings.Map(func(r rune) rune {
				if r < ' ' || r > '~' {
					return -1
				}
				return r
			}, v); rapid.Bool().Draw(t, "given") {
				header.Set(p.Name, v)
			}
		}
	}
	if rapid.IntRange(0, 19).Draw(t, "misspelt") == 0 {
		query.Set("lmit", "1")
	}
	var body io.Reader
	for kind, content := range op.RequestBody.Content {
		b, err := json.Marshal(c.value(t, content.Schema, known))
		if err != nil {
			t.Fatal(err)
		}
		if rapid.IntRange(0, 19).Draw(t, "broken") == 0 {
			b = b[:len(b)/2]
		}
		body = strings.NewReader(string(b))
		header.Set("Content-Type", kind)
	}
	req, err := http.NewRequestWithContext(ctx, strings.ToUpper(method), base+path+"?"+query.Encode(), body)
	if err != nil {
		t.Fatal(err)
	}
	maps.Copy(req.Header, header)
	return req
}

// answered says what is wrong with an answer, "" if nothing is.
func (c *contract) answered(op operation, resp *http.Response) string {
	if busy := resp.StatusCode == http.StatusServiceUnavailable && resp.Header.Get("Retry-After") != ""; resp.StatusCode >= 500 && !busy {
		return resp.Status
	}
	said, ok := op.Responses[fmt.Sprint(resp.StatusCode)]
	if !ok && resp.StatusCode >= 400 {
		said, ok = op.Responses["default"]
	}
	if !ok {
		return resp.Status + " is not in the document"
	}
	kind := resp.Header.Get("Content-Type")
	if len(said.Content) == 0 && kind == "" {
		return ""
	}
	content, ok := said.Content[kind]
	if !ok {
		return fmt.Sprintf("%s as %q is not in the document", resp.Status, kind)
	}
	if kind == "application/x-ndjson" || kind == "application/gzip" || strings.HasPrefix(kind, "text/") {
		return "" // it has no end, or is no JSON
	}
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		return err.Error()
	}
	var v any
	d := json.NewDecoder(strings.NewReader(string(b)))
	d.UseNumber()
	if err := d.Decode(&v); err != nil {
		return fmt.Sprintf("%v: %.200s", err, b)
	}
	if m := c.mismatch(content.Schema, v, "it"); m != "" {
		return fmt.Sprintf("%s: %s: %.400s", resp.Status, m, b)
	}
	return ""
}

// TestTheDocumentIsTrue asks for every operation of the OpenAPI document, as it says and otherwise, on each store: nothing is answered with
// 5xx but that the server is busy, and every answer is one that the document has.
func TestTheDocumentIsTrue(t *testing.T) {
	t.Parallel()
	for kind, store := range stores() {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			data := t.TempDir()
			s := serveHere(t, store(t, data), data, func(c *Config) {
				c.API.Rate.Principal, c.API.Rate.Address = 0, 0
				c.Rules = []string{writeFile(t, "r.yml", "rule: seen\ntitle: Seen\nseverity: high\nattack: [T1110]\nmatch: exists(user.name)\nby: [user.name]\n")}
			})
			s.post(numbered(1), numbered(2), `{"oops`)
			s.settled()
			base := "http://" + s.node.api.Addr().String()
			var doc contract
			if s.get("/openapi.json", &doc); len(doc.Paths) < 15 {
				t.Fatalf("the document has %d paths", len(doc.Paths))
			}
			known := []string{"seen", s.node.cfg.API.Token}
			for _, v := range s.incidents() {
				known = append(known, v.ID)
			}
			if len(known) < 3 {
				t.Fatal("there is no incident to ask for")
			}
			asked := make(map[string]bool)
			end := time.Now().Add(8 * time.Second)
			rounds := 0 // the first is whole, however slow the machine
			rapid.Check(t, func(r *rapid.T) {
				rounds++
				for _, path := range slices.Sorted(maps.Keys(doc.Paths)) {
					for _, method := range slices.Sorted(maps.Keys(doc.Paths[path])) {
						if rounds > 1 && time.Now().After(end) {
							return
						}
						op := doc.Paths[path][method]
						ctx, leave := context.WithCancel(t.Context())
						req := doc.request(ctx, r, base, method, path, op, known)
						req.Header.Set("Authorization", "Bearer "+s.node.cfg.API.Token)
						resp, err := http.DefaultClient.Do(req)
						if err != nil {
							leave()
							r.Fatalf("%s %s: %v", req.Method, req.URL, err)
						}
						wrong := doc.answered(op, resp)
						leave()
						_ = resp.Body.Close() // a stream ends with its request
						if wrong != "" {
							r.Fatalf("%s: %s %s: %s", op.OperationID, req.Method, req.URL, wrong)
						}
						asked[op.OperationID] = true
					}
				}
			})
			for path, methods := range doc.Paths {
				for _, op := range methods {
					if !asked[op.OperationID] {
						t.Errorf("%s of %s was not asked for", op.OperationID, path)
					}
				}
			}
		})
	}
}
