// SPDX-License-Identifier: Apache-2.0

package alert

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// webhook posts CloudEvents, signed as Standard Webhooks says.
type webhook struct {
	url    string
	keys   [][]byte
	client *http.Client
}

func newWebhook(r Receiver) (*webhook, error) {
	w := &webhook{url: r.URL, client: &http.Client{
		// A redirect would carry body and signature to somebody else.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
	for _, s := range r.Secrets {
		key, err := secretKey(s)
		if err != nil {
			return nil, fmt.Errorf("receiver %s: %w", r.Name, err)
		}
		w.keys = append(w.keys, key)
	}
	return w, nil
}

func (w *webhook) send(ctx context.Context, it Item) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, w.url, bytes.NewReader(it.Body))
	if err != nil {
		return fmt.Errorf("%w: %w", errPermanent, err)
	}
	at := time.Now()
	req.Header.Set("Content-Type", "application/cloudevents+json")
	req.Header.Set("User-Agent", "tocsin")
	req.Header.Set("Webhook-Id", it.Key())
	req.Header.Set("Webhook-Timestamp", strconv.FormatInt(at.Unix(), 10))
	if len(w.keys) > 0 {
		req.Header.Set("Webhook-Signature", Sign(w.keys, it.Key(), at, it.Body))
	}
	resp, err := w.client.Do(req)
	if err != nil {
		if u, ok := errors.AsType[*url.Error](err); ok {
			err = u.Err // the address may hold a password
		}
		return fmt.Errorf("post: %w", err)
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 64<<10)) // only so that the connection can be used again
	switch code := resp.StatusCode; {
	case code >= 200 && code < 300:
		return nil
	case code >= 400 && code < 500 && code != http.StatusTooManyRequests && code != http.StatusRequestTimeout:
		return fmt.Errorf("%w: answered %s", errPermanent, resp.Status)
	default:
		// A redirect is somebody's login page or a move: either may be put right within the age.
		return &retryLater{retryAfter(resp.Header.Get("Retry-After"), at), fmt.Errorf("answered %s", resp.Status)}
	}
}

// retryAfter reads the header of that name: seconds or a date (RFC 9110, 10.2.3). 0 is none.
func retryAfter(s string, now time.Time) time.Duration {
	if n, err := strconv.ParseUint(s, 10, 31); err == nil {
		return time.Duration(n) * time.Second
	}
	if at, err := http.ParseTime(s); err == nil && at.After(now) {
		return at.Sub(now)
	}
	return 0
}
