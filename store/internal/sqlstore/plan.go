// SPDX-License-Identifier: Apache-2.0

package sqlstore

import (
	"fmt"
	"strings"
)

// Type is the type of a column in a step's rows.
type Type uint8

// The types, and the Go types of their values.
const (
	Bytes Type = iota // []byte, nil is NULL
	Text              // string
	Int               // int64
	Bool              // bool
)

// Column is a column of a step's rows.
type Column struct {
	Name string
	Type Type
}

// Step is one statement over rows: {rows} in it stands for the table of them. It must mean the same whether it runs
// once over all rows or once for each in order.
type Step struct {
	SQL     string
	Columns []Column
	Rows    [][]any
}

// Plan is a commit as the database runs it, in one transaction: the fence, then the steps in order.
type Plan struct {
	// Fence must change one row, else the commit is refused; it returns a row if it did.
	Fence     string
	FenceArgs []any
	Steps     []Step
}

func (p *Plan) add(sql string, columns []Column, rows [][]any) {
	if len(rows) > 0 {
		p.Steps = append(p.Steps, Step{sql, columns, rows})
	}
}

// table is a table that commits write whole rows to.
type table struct {
	name    string
	columns []Column
	key     string
	// guard is the condition on which an existing row is replaced; "-" is never, "" always.
	guard string
}

// upsert returns the statement that writes rows; replacing is absolute.
func (t table) upsert() string {
	names := make([]string, len(t.columns))
	var set []string
	for i, c := range t.columns {
		names[i] = c.Name
		if !strings.Contains(", "+t.key+",", ", "+c.Name+",") {
			set = append(set, c.Name+" = excluded."+c.Name)
		}
	}
	head := fmt.Sprintf("INSERT INTO %s (%s) {rows} ON CONFLICT (%s) DO ", t.name, strings.Join(names, ", "), t.key)
	if t.guard == "-" {
		return head + "NOTHING"
	}
	out := head + "UPDATE SET " + strings.Join(set, ", ")
	if t.guard != "" {
		out += " WHERE " + t.guard
	}
	return out
}

func bytesColumns(names ...string) []Column {
	out := make([]Column, len(names))
	for i, n := range names {
		out[i] = Column{n, Bytes}
	}
	return out
}
