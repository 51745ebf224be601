// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"time"

	"tocsin/incident"
)

// token is what the API wants to see.
const token = "secret"

// closer is a person who closes incidents now and then, whatever they are.
type closer struct {
	rng    *rand.Rand
	to     func() []string
	closed []string // what the API said would be
}

// run closes until ctx ends.
func (c *closer) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(short(c.rng, 2*time.Second)):
		}
		if to := c.to(); len(to) > 0 {
			c.one(to[c.rng.IntN(len(to))])
		}
	}
}

// one closes one of the incidents that are open. The API may be away.
func (c *closer) one(api string) {
	var page struct{ Items []incident.View }
	if ask(api, http.MethodGet, "incidents?status=new&limit=100", "", &page) != nil || len(page.Items) == 0 {
		return
	}
	id := page.Items[c.rng.IntN(len(page.Items))].ID
	if ask(api, http.MethodPost, "incidents/"+id+"/close", `{"verdict": "benign"}`, nil) == nil {
		c.closed = append(c.closed, id)
	}
}

// ask asks the API.
func ask(api, method, path, body string, into any) error {
	req, err := http.NewRequest(method, "http://"+api+"/api/v1/"+path, strings.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Content-Type", "application/json")
	client := &http.Client{Timeout: 5 * time.Second}
	defer client.CloseIdleConnections()
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", resp.Status, b)
	}
	if err == nil && into != nil {
		err = json.Unmarshal(b, into)
	}
	return err
}
