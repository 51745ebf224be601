// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"

	"github.com/spf13/cobra"

	"tocsin/event"
)

// eventSearch is a search as it is asked for.
type eventSearch struct {
	q, since, until, source, cursor string
	limit                           int
}

func newSearchCommand(c *cli) *cobra.Command {
	var s eventSearch
	cmd := &cobra.Command{
		Use: "search [EXPRESSION]", Short: "Print events that are kept and of which an expression holds, newest arrival first", Args: cobra.MaximumNArgs(1),
		Long: "Search looks through the events that the server keeps, the newest first, for those of which an expression of the\n" +
			"rule language holds; without one it prints every event. It goes on until it has found --limit of them or has looked\n" +
			"at all, and says how far it came.",
		Example: "  tocsin events search 'user.name == \"ana\" and event.outcome == \"failure\"' --since 1h",
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				s.q = args[0]
			}
			if s.limit < 1 {
				return &usageError{fmt.Errorf("--limit is at least 1, not %d", s.limit)}
			}
			cl, err := c.client()
			if err != nil {
				return err
			}
			return c.search(cmd.Context(), cl, s)
		},
	}
	f := cmd.Flags()
	f.StringVar(&s.since, "since", "", "arrival from here on: RFC 3339, or a span back from now such as 1h")
	f.StringVar(&s.until, "until", "", "arrival before this: RFC 3339, or a span back from now")
	f.StringVar(&s.source, "source", "", "name that it was posted under, or module")
	f.IntVar(&s.limit, "limit", 50, "at most so many")
	f.StringVar(&s.cursor, "cursor", "", "where a search before ended")
	return cmd
}

// search asks for page after page.
func (c *cli) search(ctx context.Context, cl *client, s eventSearch) error {
	searched := int64(0)
	for {
		q := url.Values{"limit": {strconv.Itoa(min(s.limit, 500))}}
		for name, v := range map[string]string{"q": s.q, "since": s.since, "until": s.until, "source": s.source, "cursor": s.cursor} {
			if v != "" {
				q.Set(name, v)
			}
		}
		var page struct {
			Items      []json.RawMessage
			NextCursor string `json:"next_cursor"`
			Searched   int64
			SearchedTo event.Stamp `json:"searched_to"`
		}
		if err := cl.get(ctx, http.MethodGet, "events?"+q.Encode(), nil, &page); err != nil {
			return err
		}
		for _, item := range page.Items {
			if err := c.printEvent(item); err != nil {
				return err
			}
		}
		s.limit -= len(page.Items)
		searched += page.Searched
		s.cursor = page.NextCursor
		switch {
		case s.cursor == "":
			fmt.Fprintf(c.stderr, "%d events searched: that is all\n", searched)
			return nil
		case s.limit <= 0:
			fmt.Fprintf(c.stderr, "%d events searched, back to %s; older ones: --cursor %s\n", searched, page.SearchedTo, s.cursor)
			return nil
		}
	}
}
