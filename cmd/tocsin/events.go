// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/spf13/cobra"
)

// maxTailLine bounds one event of a tail: a record and its fields.
const maxTailLine = 8 << 20

func newEventsCommand(c *cli) *cobra.Command {
	cmd := &cobra.Command{Use: "events", Short: "Look at events as they come"}
	tail := &cobra.Command{
		Use: "tail", Short: "Print events as they come, until Ctrl-C", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cl, err := c.client()
			if err != nil {
				return err
			}
			if err = c.tail(cmd.Context(), cl); cmd.Context().Err() != nil {
				err = nil // Ctrl-C is how a tail is meant to end
			}
			return err
		},
	}
	cmd.AddCommand(tail)
	c.clientFlags(cmd.PersistentFlags())
	return cmd
}

func (c *cli) tail(ctx context.Context, cl *client) error {
	r, err := cl.do(ctx, http.MethodGet, "events/tail", nil)
	if err != nil {
		return err
	}
	defer r.Close()
	if err := tailLines(r, c.printEvent); err != nil {
		return fmt.Errorf("tail: %w", err)
	}
	return errors.New("tail: the server ended it")
}

// tailLines gives each event of a tail to fn, whether it comes as NDJSON or as the data of server-sent events.
func tailLines(r io.Reader, fn func([]byte) error) error {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, maxTailLine)
	for lines.Scan() {
		line := strings.TrimSpace(lines.Text())
		// What is neither NDJSON nor data is a comment, a heartbeat, or a field of server-sent events that says nothing.
		if data, ok := strings.CutPrefix(line, "data:"); ok {
			line = strings.TrimSpace(data)
		}
		if !strings.HasPrefix(line, "{") {
			continue
		}
		if err := fn([]byte(line)); err != nil {
			return err
		}
	}
	return lines.Err()
}

func (c *cli) printEvent(line []byte) error {
	var e struct {
		Time, Source, Error string
		Fields              map[string]any
		// Status and Detail are there if the server ends the tail with a problem.
		Status int
		Detail string
	}
	if err := json.Unmarshal(line, &e); err != nil {
		return err
	}
	if e.Status != 0 && e.Detail != "" {
		return errors.New(e.Detail)
	}
	if c.flags.output == "json" {
		_, err := fmt.Fprintf(c.stdout, "%s\n", line)
		return err
	}
	text, _ := e.Fields["message"].(string)
	if text == "" {
		text, _ = e.Fields["event.action"].(string)
	}
	if e.Error != "" {
		text = "not read: " + e.Error
	}
	_, err := fmt.Fprintf(c.stdout, "%s  %s  %s\n", printable(e.Time), printable(e.Source), printable(text))
	return err
}
