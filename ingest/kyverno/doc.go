// SPDX-License-Identifier: Apache-2.0

// Package kyverno turns policy reports, which say how things are, into records that say what changed.
//
// A report is rewritten every hour with new timestamps and the same results. [Diff] compares it with what is
// remembered of it, a [State], and yields a record where a violation began (violation), was mended (resolved), or
// is no longer judged (removed); a rewrite yields nothing. [Ledger] keeps the State and commits the records, in an
// order of acts that a crash at any point cannot spoil. [Parse] makes an Event of such a record, and of the
// Kubernetes Events by which Kyverno tells of admissions that it blocked.
//
// The package knows no API server and no clock: package watch brings both. It reads both families of reports,
// wgpolicyk8s.io and openreports.io, which have the same results under different kinds (protocols.md 2).
package kyverno
