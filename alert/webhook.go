// SPDX-License-Identifier: Apache-2.0

package alert

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"strconv"
	"time"
)

// webhook posts CloudEvents, signed as Standard Webhooks says.
type webhook struct {
	url    string
	keys   [][]byte
	client *http.Client
}

func newWebhook(r Receiver, g guard) (*webhook, error) {
	w := &webhook{url: r.URL, client: newClient(g)}
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
		return fmt.Errorf("post: %w", withoutAddress(err))
	}
	answer(resp) // only so that the connection can be used again
	if resp.StatusCode >= 200 && resp.StatusCode < 300 {
		return nil
	}
	return unwelcome(resp, at)
}

func (w *webhook) close() { w.client.CloseIdleConnections() }
