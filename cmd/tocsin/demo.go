// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"tocsin/incident"
)

// demoAttack is a recorded attack: what Falco and Vector post, a line each, `SOURCE SECONDS JSON`.
//
//go:embed demo.txt
var demoAttack string

// playDemo posts the attack to the real endpoints, then shows the incident and what to do next.
func (n *node) playDemo(ctx context.Context, out io.Writer) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	if err := n.demo(ctx, out); err != nil && ctx.Err() == nil {
		fmt.Fprintln(out, "demo:", err)
	}
}

func (n *node) demo(ctx context.Context, out io.Writer) error {
	if err := n.waitReady(ctx); err != nil {
		return err
	}
	fmt.Fprint(out, "\nPlaying a recorded attack: a burst of failed logins, a login, then a shell in the pod…\n")
	start := time.Now().Add(-2 * time.Minute).UTC()
	for line := range strings.Lines(demoAttack) {
		source, rest, ok := strings.Cut(strings.TrimSpace(line), " ")
		if !ok || strings.HasPrefix(line, "#") {
			continue
		}
		after, body, _ := strings.Cut(rest, " ")
		d, err := time.ParseDuration(after)
		if err != nil {
			return err
		}
		body = strings.ReplaceAll(body, "$TIME", start.Add(d).Format(time.RFC3339Nano))
		if err := n.postDemo(ctx, source, body); err != nil {
			return err
		}
	}
	for seen := 0; ; {
		page, _, err := n.store.Incidents(ctx, incident.Filter{Limit: 10, Since: start.UnixNano()})
		if err != nil {
			return err
		}
		if len(page) > 0 && len(page) == seen { // no more came
			n.showDemo(out, page)
			return nil
		}
		seen = len(page)
		select {
		case <-ctx.Done():
			return fmt.Errorf("no incident came of it: are the rules in %v those that we ship?", n.cfg.Rules)
		case <-time.After(500 * time.Millisecond):
		}
	}
}

func (n *node) postDemo(ctx context.Context, source, body string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+n.ingest.Addr().String()+"/ingest/"+source, bytes.NewReader([]byte(body)))
	if err != nil {
		return err
	}
	if ts := n.cfg.ingestTokens(); len(ts) > 0 {
		req.Header.Set("Authorization", "Bearer "+ts[0].Value)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("ingest answered %s", resp.Status)
	}
	return nil
}

func (n *node) showDemo(out io.Writer, page []incident.View) {
	fmt.Fprint(out, "\nIncidents:\n")
	for _, v := range page {
		key, err := json.Marshal(v.Key)
		if err != nil {
			key = nil
		}
		fmt.Fprintf(out, "  %-9s %s  (%d events, %s)\n", v.Severity, v.Title, v.EventCount, key)
	}
	ingest := n.ingest.Addr().String()
	fmt.Fprintf(out, `
Look at them:   http://%s/#token=%s
On the command: bin/tocsin incidents list --data %s

Point Vector here:
  sinks:
    tocsin:
      type: http
      inputs: [your_source]
      uri: http://%s/ingest/vector
      encoding: {codec: json}
      framing: {method: newline_delimited}
      acknowledgements: {enabled: true}

Point Falco here (falco.yaml):
  json_output: true
  http_output: {enabled: true, url: "http://%s/ingest/falco"}

Ctrl-C stops.
`, n.api.Addr(), n.cfg.API.Token, n.cfg.Data, ingest, ingest)
}

// alertLines writes alerts, which the receiver `stdout` prints as CloudEvents, so that a person at a terminal can read them.
type alertLines struct{ out io.Writer }

func (w alertLines) Write(b []byte) (int, error) {
	var alert struct {
		Type string `json:"type"`
		Data struct {
			Title    string `json:"title"`
			Severity string `json:"severity"`
		} `json:"data"`
	}
	if err := json.Unmarshal(b, &alert); err != nil {
		return 0, fmt.Errorf("an alert: %w", err)
	}
	kind := strings.TrimSuffix(strings.TrimPrefix(alert.Type, "io.tocsin.incident."), ".v1")
	if _, err := fmt.Fprintf(w.out, "  alert      %s: %s, %s\n", kind, printable(alert.Data.Title), alert.Data.Severity); err != nil {
		return 0, err
	}
	return len(b), nil
}
