// SPDX-License-Identifier: Apache-2.0

// Package sqlstore is what the two stores have in common: the SQL that both
// dialects speak, and the way from nouns to rows and back.
//
// [Core] has every method of the store that is one statement or one transaction of
// plain SQL. A commit becomes a [Plan]: steps of one statement over many rows, which
// Postgres runs as arrays in one round trip and SQLite row by row. What is left to a
// dialect is a [DB], a [Dialect], the execution of plans and the migrations.
package sqlstore
