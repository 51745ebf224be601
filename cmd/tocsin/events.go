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
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// maxTailLine bounds one event of a tail: a record and its fields.
const maxTailLine = 8 << 20

func newEventsCommand(c *cli) *cobra.Command {
	cmd := &cobra.Command{Use: "events", Short: "Look at events, as they come or among those that are kept"}
	tail := &cobra.Command{
		Use: "tail [EXPRESSION]", Short: "Print events as they come, or those of an expression, until Ctrl-C", Args: cobra.MaximumNArgs(1),
		Example: "  tocsin events tail 'event.module == \"falco\"'",
		RunE: func(cmd *cobra.Command, args []string) error {
			cl, err := c.client()
			if err != nil {
				return err
			}
			if len(args) > 0 {
				err = c.follow(cmd.Context(), cl, url.Values{"q": args})
			} else if _, err = c.tail(cmd.Context(), cl, "events/tail"); err == nil {
				err = errors.New("tail: the server ended it")
			}
			if cmd.Context().Err() != nil {
				err = nil // Ctrl-C is how a tail is meant to end
			}
			return err
		},
	}
	cmd.AddCommand(tail, newSearchCommand(c))
	c.clientFlags(cmd.PersistentFlags())
	return cmd
}

// followEach is how soon a stream that ended is followed again.
const followEach = time.Second

// follow goes on where a stream ended: the server ends each after a while.
func (c *cli) follow(ctx context.Context, cl *client, query url.Values) error {
	for {
		last, err := c.tail(ctx, cl, "events/stream?"+query.Encode())
		if err != nil {
			return err
		}
		if last == "" {
			return errors.New("tail: the server ended it")
		}
		query.Set("last_event_id", last)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(followEach):
		}
	}
}

// tail prints what a tail or stream has until it ends, and returns the id of the last event.
func (c *cli) tail(ctx context.Context, cl *client, path string) (string, error) {
	r, err := cl.do(ctx, http.MethodGet, path)
	if err != nil {
		return "", err
	}
	defer r.Close()
	last, err := tailLines(r, c.printEvent)
	if err != nil {
		return "", fmt.Errorf("tail: %w", err)
	}
	return last, nil
}

// tailLines gives each event of a tail to fn, whether it comes as NDJSON or as the data of server-sent events, and returns the last
// of their ids.
func tailLines(r io.Reader, fn func([]byte) error) (last string, err error) {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, maxTailLine)
	for lines.Scan() {
		line := strings.TrimSpace(lines.Text())
		// What is neither NDJSON nor data is a comment, a heartbeat, or a field of server-sent events that says nothing.
		if data, ok := strings.CutPrefix(line, "data:"); ok {
			line = strings.TrimSpace(data)
		}
		if id, ok := strings.CutPrefix(line, "id:"); ok {
			last = strings.TrimSpace(id)
		}
		if !strings.HasPrefix(line, "{") {
			continue
		}
		if err := fn([]byte(line)); err != nil {
			return last, err
		}
	}
	return last, lines.Err()
}

func (c *cli) printEvent(line []byte) error {
	var e struct {
		Time, Source, Error string
		Fields              map[string]any
		// Status and Detail are there if the server ends the tail with a problem.
		Status int
		Detail string
		// Reason and Lost are there instead of an event that is missing.
		Reason string
		Lost   uint64
	}
	if err := json.Unmarshal(line, &e); err != nil {
		return err
	}
	if e.Status != 0 && e.Detail != "" {
		return errors.New(e.Detail)
	}
	if e.Reason != "" {
		_, err := fmt.Fprintf(c.stderr, "something is missing here (%s): %d messages\n", printable(e.Reason), e.Lost)
		return err
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
