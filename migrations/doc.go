// SPDX-License-Identifier: Apache-2.0

// Package migrations holds the SQL that makes and changes the tables of the two
// stores, embedded in the binary.
//
// Each dialect has a folder of the same versions, and a test compares the
// columns that they lead to. Migrations only go forward: what a release has shipped is never edited.
// Package store runs them; nothing here does.
package migrations

import (
	"embed"
	"io/fs"
)

//go:embed postgres/*.sql
var postgres embed.FS

//go:embed sqlite/*.sql
var sqlite embed.FS

// Postgres returns the migrations for PostgreSQL.
func Postgres() fs.FS { return sub(postgres, "postgres") }

// SQLite returns the migrations for SQLite.
func SQLite() fs.FS { return sub(sqlite, "sqlite") }

func sub(f embed.FS, dir string) fs.FS {
	s, err := fs.Sub(f, dir)
	if err != nil {
		panic("migrations: " + err.Error()) // the folder's name is a constant above
	}
	return s
}
