// SPDX-License-Identifier: Apache-2.0

// Package vectortest sends as Vector's http sink does (protocols.md 3.1, 3.2): each framing, codec and
// compression, the classes of answers, and retries with the same bytes. It is for tests.
package vectortest

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/klauspost/compress/snappy"
	"github.com/klauspost/compress/zstd"
)

// Framings and Compressions are what a Sink can be set to.
var (
	Framings     = []string{"array", "newline", "concatenated", "pretty", "single"}
	Compressions = []string{"", "gzip", "zlib", "zstd", "snappy"}
)

// Sink is one http sink.
type Sink struct {
	URL, Token           string
	Framing, Compression string
	// Backoff is the time before the nth retry; nil is Vector's Fibonacci in seconds.
	Backoff func(n int) time.Duration
	Client  *http.Client
}

// Dropped says that Vector would have dropped the batch.
type Dropped struct{ Status int }

func (d *Dropped) Error() string {
	return fmt.Sprintf("not retriable; dropping the request: %d", d.Status)
}

// Send delivers events, in one request or (framing single) in one for each.
func (s *Sink) Send(ctx context.Context, events []map[string]any) error {
	if s.Framing != "single" {
		body, kind, err := s.encode(events)
		if err != nil {
			return err
		}
		return s.post(ctx, body, kind)
	}
	for _, e := range events {
		body, err := json.Marshal(e)
		if err != nil {
			return err
		}
		if err := s.post(ctx, body, "application/json"); err != nil {
			return err
		}
	}
	return nil
}

func (s *Sink) encode(events []map[string]any) (body []byte, contentType string, err error) {
	var parts [][]byte
	for _, e := range events {
		b, err := json.Marshal(e)
		if s.Framing == "pretty" {
			b, err = json.MarshalIndent(e, "", "  ")
		}
		if err != nil {
			return nil, "", err
		}
		parts = append(parts, b)
	}
	switch s.Framing {
	case "newline":
		return bytes.Join(parts, []byte{'\n'}), "application/x-ndjson", nil
	case "concatenated":
		return bytes.Join(parts, nil), "", nil
	case "pretty":
		return bytes.Join(parts, []byte{'\n'}), "application/x-ndjson", nil
	default:
		return append(append([]byte{'['}, bytes.Join(parts, []byte{','})...), ']'), "application/json", nil
	}
}

// Compress returns the body and the Content-Encoding that Vector gives a compression.
func Compress(compression string, body []byte) ([]byte, string, error) {
	var b bytes.Buffer
	var w io.WriteCloser
	switch compression {
	case "":
		return body, "", nil
	case "snappy":
		return snappy.Encode(nil, body), "snappy", nil
	case "gzip":
		w = gzip.NewWriter(&b)
	case "zlib":
		w = zlib.NewWriter(&b)
	case "zstd":
		z, err := zstd.NewWriter(&b)
		if err != nil {
			return nil, "", err
		}
		w = z
	default:
		return nil, "", fmt.Errorf("no compression %q", compression)
	}
	if _, err := w.Write(body); err != nil {
		return nil, "", err
	}
	if err := w.Close(); err != nil {
		return nil, "", err
	}
	if compression == "zlib" {
		return b.Bytes(), "deflate", nil
	}
	return b.Bytes(), compression, nil
}

func (s *Sink) post(ctx context.Context, body []byte, contentType string) error {
	body, encoding, err := Compress(s.Compression, body)
	if err != nil {
		return err
	}
	client := s.Client
	if client == nil {
		client = http.DefaultClient
	}
	for n := 1; ; n++ {
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.URL, bytes.NewReader(body))
		if err != nil {
			return err
		}
		if contentType != "" {
			req.Header.Set("Content-Type", contentType)
		}
		if encoding != "" {
			req.Header.Set("Content-Encoding", encoding)
		}
		if s.Token != "" {
			req.Header.Set("Authorization", "Bearer "+s.Token)
		}
		resp, err := client.Do(req)
		if err == nil {
			_ = resp.Body.Close() // Vector ignores it
			switch code := resp.StatusCode; {
			case code >= 200 && code < 300:
				return nil
			case code == 408 || code == 429 || code >= 500 && code != 501:
			default:
				return &Dropped{code}
			}
		}
		t := time.NewTimer(s.backoff(n))
		select {
		case <-ctx.Done():
			t.Stop()
			return ctx.Err()
		case <-t.C:
		}
	}
}

func (s *Sink) backoff(n int) time.Duration {
	if s.Backoff != nil {
		return s.Backoff(n)
	}
	a, b := 1, 1
	for range n - 1 {
		a, b = b, a+b
	}
	return time.Duration(min(a, 30)) * time.Second
}
