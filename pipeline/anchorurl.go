// SPDX-License-Identifier: Apache-2.0

package pipeline

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
)

// AnchorURL is where checkpoints are sent to.
type AnchorURL struct {
	URL string
	// Method is PUT or POST.
	Method  string
	Headers map[string]string
	// Token is sent as Bearer, "" for none. TokenFile has it instead, and is read each time.
	Token, TokenFile string
}

// Keeper returns what sends a checkpoint. Each has a connection of its own: between two of them is an hour, and the one that was would be
// half of one by then. A redirect would carry the credentials to somebody else: none is followed.
func (u AnchorURL) Keeper() func(ctx context.Context, note string) error {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.DisableKeepAlives = true
	client := &http.Client{
		Transport:     t,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return func(ctx context.Context, note string) error {
		req, err := http.NewRequestWithContext(ctx, u.Method, u.URL, strings.NewReader(note))
		if err != nil {
			return errors.New("the url is no address") // err repeats it
		}
		req.Header.Set("Content-Type", "text/plain; charset=utf-8")
		req.Header.Set("User-Agent", "tocsin")
		for name, value := range u.Headers {
			req.Header.Set(name, value)
		}
		token, err := u.token()
		if err != nil {
			return err
		}
		if token != "" {
			req.Header.Set("Authorization", "Bearer "+token)
		}
		resp, err := client.Do(req)
		if err != nil {
			if at, ok := errors.AsType[*url.Error](err); ok {
				err = at.Err // without the address, which may hold a password
			}
			return err
		}
		defer resp.Body.Close()
		if _, err := io.Copy(io.Discard, io.LimitReader(resp.Body, 64<<10)); err != nil && resp.StatusCode/100 == 2 {
			return fmt.Errorf("answered %s, and broke off: %w", resp.Status, err)
		}
		if resp.StatusCode/100 != 2 {
			return fmt.Errorf("answered %s", resp.Status)
		}
		return nil
	}
}

func (u AnchorURL) token() (string, error) {
	if u.TokenFile == "" {
		return u.Token, nil
	}
	b, err := os.ReadFile(u.TokenFile)
	if err != nil {
		return "", fmt.Errorf("token: %w", err)
	}
	token := strings.TrimSpace(string(b))
	if token == "" || strings.ContainsAny(token, "\r\n") {
		return "", fmt.Errorf("token: %s has no one line with a token", u.TokenFile)
	}
	return token, nil
}
