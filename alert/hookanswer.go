// SPDX-License-Identifier: Apache-2.0

package alert

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"time"
)

// slackHosts are where Slack takes answers to who pressed a button.
func slackHosts() []string { return []string{"hooks.slack.com", "hooks.slack-gov.com"} }

// Tell says to the person alone who pressed a button why nothing came of it. It may fail for as long as the reply's sender waits: then it
// is the answer to the request that tells.
func (h Hooks) Tell(ctx context.Context, r Reply, why string) error {
	u, err := url.Parse(r.answer)
	if err != nil || !webAddress(r.answer) || !slices.Contains(h.hosts, u.Host) && (u.Scheme != "https" || !slices.Contains(slackHosts(), u.Host)) {
		return errors.New("the reply's response_url is not Slack's")
	}
	body, err := json.Marshal(map[string]any{
		"response_type": "ephemeral", "replace_original": false, // else the incident's message would be gone
		"text": escapeSlack(why),
	})
	if err != nil {
		return fmt.Errorf("answer slack: %w", err)
	}
	defer h.client.CloseIdleConnections() // hours may pass between two
	at := time.Now()
	resp, err := postJSON(ctx, h.client, r.answer, body, "")
	if err != nil {
		return fmt.Errorf("answer slack: %w", err)
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("answer slack: %w", unwelcome(resp.Response, at))
	}
	return nil
}
