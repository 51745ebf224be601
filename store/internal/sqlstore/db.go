// SPDX-License-Identifier: Apache-2.0

package sqlstore

import (
	"context"
	"strconv"
	"strings"
)

// Scan reads the columns of the current row.
type Scan = func(dest ...any) error

// Querier runs one statement, with ? for each argument; row, if not nil, is called for each row it returns.
type Querier interface {
	Query(ctx context.Context, query string, args []any, row func(Scan) error) error
}

// Writer is a Querier of a transaction that may write.
type Writer interface {
	Querier
	// Do runs a step.
	Do(ctx context.Context, step Step) error
}

// DB is a database of one dialect. Its own Query is for reading alone.
type DB interface {
	Querier
	// View runs fn over one state of the database, for reading alone.
	View(ctx context.Context, fn func(Querier) error) error
	// Planned is View for statements that are run in one way, by indexes, whatever they look for: so a database may plan each once.
	Planned(ctx context.Context, fn func(Querier) error) error
	// Tx runs fn in a transaction that may write.
	Tx(ctx context.Context, fn func(Writer) error) error
}

// Dialect is how a database says what SQL has no common word for. The statements
// of this package hold it as {now}, {skip}, {lock}, {head}, {newest}, {delivered} and {rows}.
type Dialect struct {
	// Now is the database's clock in nanoseconds since the Unix epoch.
	Now string
	// Skip locks the rows of alias o that no one else has locked, Lock those of a whole select.
	Skip, Lock string
	// Head is above the place of each change of an incident before which nothing comes any more.
	Head string
	// Newest is the same of changes of detections, Delivered of deliveries.
	Newest, Delivered string
	// Numbered is true if placeholders are $1, $2, …
	Numbered bool
	// Rows is the table of a step's rows; columns are those of the step.
	Rows func(columns []Column) string
}

// SQL returns a statement of this package in the dialect.
func (d Dialect) SQL(query string, columns ...Column) string {
	if strings.Contains(query, "{") {
		pairs := []string{"{now}", d.Now, "{skip}", d.Skip, "{lock}", d.Lock, "{head}", d.Head, "{newest}", d.Newest, "{delivered}", d.Delivered}
		if d.Rows != nil {
			pairs = append(pairs, "{rows}", d.Rows(columns))
		}
		query = strings.NewReplacer(pairs...).Replace(query)
	}
	if !d.Numbered || !strings.Contains(query, "?") {
		return query
	}
	var b strings.Builder
	n := 0
	for _, part := range strings.SplitAfter(query, "?") {
		if head, ok := strings.CutSuffix(part, "?"); ok {
			n++
			b.WriteString(head + "$" + strconv.Itoa(n))
		} else {
			b.WriteString(part)
		}
	}
	return b.String()
}

// Core implements the methods of a store that both dialects share.
type Core struct {
	db DB
	// Walk is how many incidents a list looks through in order before it asks for their terms; 0 says that the database has none.
	Walk int
}

// NewCore returns the shared methods over a database.
func NewCore(db DB) *Core { return &Core{db: db} }

// in returns n placeholders for a list.
func in(n int) string { return strings.TrimSuffix(strings.Repeat("?, ", n), ", ") }

// anys makes arguments of values.
func anys[T any](vs []T) []any {
	out := make([]any, len(vs))
	for i, v := range vs {
		out[i] = v
	}
	return out
}
