// SPDX-License-Identifier: Apache-2.0

// Package ingest takes Records in: the HTTP endpoint that sources post to, what splits
// a body into Records, and the parser that makes an Event of one.
//
// The listener never interprets: it decompresses, splits, and hands Records to be
// committed, and it answers 200 only when all of them are on disk or in quarantine. What is
// wrong with content is never the sender's to repair: a malformed record goes to quarantine with its
// reason, and the answer is still 200 (protocols.md 3.2).
//
// A parser is a pure function of a Record and its arrival: one subpackage for each source. What it
// puts into which field is docs/fields.md.
package ingest
