// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"
	"golang.org/x/term"
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
	// oneLine: on a terminal a row ends where the line does; its last columns are texts whose beginnings say enough.
	oneLine bool
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
	width := 0
	if l.oneLine {
		width = columns(c.stdout)
	}
	return l.table(c.stdout, page.Items, width)
}

// table prints rows, none wider than a width that is not 0.
func (l listing[T]) table(out io.Writer, items []T, width int) error {
	var table bytes.Buffer
	w := tabwriter.NewWriter(&table, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, l.header)
	for _, v := range items {
		fmt.Fprintln(w, l.row(v))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	for line := range strings.Lines(table.String()) {
		if width > 0 {
			line = shortened(strings.TrimSuffix(line, "\n"), width) + "\n"
		}
		if _, err := io.WriteString(out, line); err != nil {
			return err
		}
	}
	return nil
}

// columns is how many a terminal has; 0 if it is none.
func columns(w io.Writer) int {
	f, ok := w.(*os.File)
	if !ok {
		return 0
	}
	width, _, err := term.GetSize(int(f.Fd()))
	if err != nil {
		return 0
	}
	return width
}

// shortened is a text of at most so many characters, whose end says if it had more.
func shortened(s string, most int) string {
	if r := []rune(s); len(r) > most {
		return string(r[:most-1]) + "…"
	}
	return s
}

// cursorFlag is what a list's cursor is told as.
const cursorFlag = "where the page before ended"
