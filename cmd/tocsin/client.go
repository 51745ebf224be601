// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/spf13/pflag"
)

// client asks the API of a running tocsin.
type client struct {
	base, token string
}

// clientFlags are those of commands that ask the API.
func (c *cli) clientFlags(f *pflag.FlagSet) {
	f.StringVar(&c.flags.url, "url", "", "address of the API (default: api.listen, https if it has TLS)")
	f.StringVar(&c.flags.token, "token", "", "API token (default: TOCSIN_API_TOKEN, else the data directory's)")
	f.StringVarP(&c.flags.output, "output", "o", "table", "table or json")
}

func (c *cli) client() (*client, error) {
	cfg, err := c.config()
	if err != nil {
		return nil, err
	}
	if c.flags.output != "table" && c.flags.output != "json" {
		return nil, &usageError{fmt.Errorf("-o is table or json, not %q", c.flags.output)}
	}
	cl := &client{base: c.flags.url, token: c.flags.token}
	if cl.base == "" {
		cl.base = scheme(cfg.API.TLS.Cert) + "://" + cfg.API.Listen
	}
	if cl.token == "" {
		cl.token = cfg.API.Token
	}
	if cl.token == "" {
		b, err := os.ReadFile(filepath.Join(cfg.Data, tokenFile))
		if err != nil {
			return nil, fmt.Errorf("no token: %w; name the data directory with --data, or give --token", err)
		}
		cl.token = strings.TrimSpace(string(b))
	}
	return cl, nil
}

// lineAndColumn is how an error about an expression begins.
var lineAndColumn = regexp.MustCompile(`^\d+:\d+: `)

// do makes a request and returns the body of an answer that is well.
func (cl *client) do(ctx context.Context, method, path string) (io.ReadCloser, error) {
	return cl.send(ctx, method, path, nil, nil)
}

// send does it with a body and headers.
func (cl *client) send(ctx context.Context, method, path string, body any, headers map[string]string) (io.ReadCloser, error) {
	var in io.Reader
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			return nil, err
		}
		in = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(ctx, method, strings.TrimSuffix(cl.base, "/")+"/api/v1/"+path, in)
	if err != nil {
		return nil, &usageError{err}
	}
	req.Header.Set("Authorization", "Bearer "+cl.token)
	req.Header.Set("Content-Type", "application/json")
	for name, v := range headers {
		req.Header.Set(name, v)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		if _, ok := errors.AsType[*net.OpError](err); ok {
			return nil, fmt.Errorf("no tocsin answers at %s: is `tocsin serve` running there? (%w)", cl.base, err)
		}
		return nil, err
	}
	if resp.StatusCode < 300 {
		return resp.Body, nil
	}
	defer resp.Body.Close()
	var problem struct {
		Title, Detail string
		Errors        []struct{ Location, Message string }
	}
	if err := json.NewDecoder(io.LimitReader(resp.Body, 1<<20)).Decode(&problem); err != nil || problem.Detail == "" {
		return nil, fmt.Errorf("%s answered %s", cl.base, resp.Status)
	}
	for _, e := range problem.Errors {
		if strings.Contains(problem.Detail, lineAndColumn.ReplaceAllString(e.Message, "")) {
			continue // said already
		}
		problem.Detail += "; " + strings.TrimPrefix(e.Location+": "+e.Message, ": ")
	}
	return nil, fmt.Errorf("%s: %s", strings.ToLower(problem.Title), problem.Detail)
}

// get decodes an answer.
func (cl *client) get(ctx context.Context, method, path string, body, out any) error {
	return cl.getWith(ctx, method, path, body, nil, out)
}

func (cl *client) getWith(ctx context.Context, method, path string, body any, headers map[string]string, out any) error {
	r, err := cl.send(ctx, method, path, body, headers)
	if err != nil {
		return err
	}
	defer r.Close()
	if err := json.NewDecoder(r).Decode(out); err != nil {
		return fmt.Errorf("answer of %s: %w", cl.base, err)
	}
	return nil
}
