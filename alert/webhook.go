// SPDX-License-Identifier: Apache-2.0

package alert

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"
)

// webhook posts CloudEvents, or what a template makes of them, signed as Standard Webhooks says.
type webhook struct {
	url  string
	keys [][]byte
	// body is the template, nil for the CloudEvent.
	body     *text
	external string
	client   *http.Client
}

func newWebhook(r Receiver, c Config) (*webhook, error) {
	w := &webhook{url: r.URL, external: c.ExternalURL, client: newClient(c.guard())}
	if r.Body != "" {
		t, err := newText("body", r.Body, escapeJSON)
		if err != nil {
			return nil, fmt.Errorf("receiver %s: body: %w", r.Name, err)
		}
		w.body = &t
	}
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
	body, kind, err := w.says(it)
	if err != nil {
		return fmt.Errorf("%w: %w", errPermanent, err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, w.url, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("%w: %w", errPermanent, err)
	}
	at := time.Now()
	req.Header.Set("Content-Type", kind)
	req.Header.Set("User-Agent", "tocsin")
	req.Header.Set("Webhook-Id", it.Key())
	req.Header.Set("Webhook-Timestamp", strconv.FormatInt(at.Unix(), 10))
	if len(w.keys) > 0 {
		req.Header.Set("Webhook-Signature", Sign(w.keys, it.Key(), at, body))
	}
	resp, err := w.client.Do(req)
	if err != nil {
		return fmt.Errorf("post: %w", withoutAddress(err))
	}
	answer(resp) // only so that the connection can be used again
	if resp.StatusCode >= 200 && resp.StatusCode < 300 {
		return nil
	}
	return unwelcome(resp, at)
}

// says returns what is posted of an alert, and its type.
func (w *webhook) says(it Item) (body []byte, kind string, err error) {
	if w.body == nil {
		return it.Body, "application/cloudevents+json", nil
	}
	a, err := readAbout(it.Body, w.external)
	if err != nil {
		return nil, "", err
	}
	out, err := renderJSON(*w.body, a)
	return []byte(out), "application/json", err
}

// renderJSON returns what a template makes of an alert, if that is JSON.
func renderJSON(t text, a about) (string, error) {
	out, err := t.render(a)
	if err == nil && !json.Valid([]byte(out)) {
		err = errors.New("it makes no JSON: what an action puts out stands in a string, between quotation marks")
	}
	return out, err
}

// escapeJSON makes text the inside of a JSON string.
func escapeJSON(s string) string {
	b, err := json.Marshal(s)
	if err != nil {
		return "" // a string always has JSON
	}
	return string(b[1 : len(b)-1])
}

func (w *webhook) close() { w.client.CloseIdleConnections() }
