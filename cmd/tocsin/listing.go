// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"text/tabwriter"

	"github.com/spf13/cobra"
)

// listing is a command that prints what a list of the API has: a table, or JSON.
type listing[T any] struct {
	use, short string
	// path is the list's under /api/v1/.
	path string
	// filters are flags of the same names as the list's query, with what each is. nil: the list is whole, and has no pages.
	filters map[string]string
	header  string
	// row has the columns of one, with tabs between.
	row func(T) string
}

func (l listing[T]) command(c *cli) *cobra.Command {
	filters := make(map[string]*string)
	var limit int
	cmd := &cobra.Command{Use: l.use, Short: l.short, Args: cobra.NoArgs, RunE: func(cmd *cobra.Command, _ []string) error {
		q := url.Values{}
		if l.filters != nil {
			q.Set("limit", strconv.Itoa(limit))
		}
		for name, v := range filters {
			if *v != "" {
				q.Set(name, *v)
			}
		}
		return l.print(cmd, c, q)
	}}
	f := cmd.Flags()
	if l.filters != nil {
		f.IntVar(&limit, "limit", 50, "at most so many")
	}
	for name, doc := range l.filters {
		v := new(string)
		filters[name] = v
		f.StringVar(v, name, "", doc)
	}
	return cmd
}

func (l listing[T]) print(cmd *cobra.Command, c *cli, q url.Values) error {
	cl, err := c.client()
	if err != nil {
		return err
	}
	var page struct {
		Items      []T    `json:"items"`
		NextCursor string `json:"next_cursor"`
	}
	if err := cl.get(cmd.Context(), http.MethodGet, l.path+"?"+q.Encode(), nil, &page); err != nil {
		return err
	}
	if page.NextCursor != "" {
		defer func() { fmt.Fprintf(c.stderr, "there are more: --cursor %s\n", page.NextCursor) }()
	}
	if c.flags.output == "json" {
		return c.printJSON(page.Items)
	}
	w := tabwriter.NewWriter(c.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, l.header)
	for _, v := range page.Items {
		fmt.Fprintln(w, l.row(v))
	}
	return w.Flush()
}

// cursorFlag is what a list's cursor is told as.
const cursorFlag = "where the page before ended"
