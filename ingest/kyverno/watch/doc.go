// SPDX-License-Identifier: Apache-2.0

// Package watch follows the policy reports and the blocked admissions of a Kubernetes cluster, and commits a record of
// each change (protocols.md 2).
//
// A [Watcher] looks for both families of reports by discovery, whichever is there, and goes on looking: a CRD may come
// late and go again. It is driven by what is, not by what it is told: a watch only says which object to look at, each
// look compares the object with what is remembered, and a full list at intervals makes good what a watch missed. What
// happened while nobody watched is found at the next start, since what is remembered outlives the process.
//
// Several replicas agree by a Lease on the one that watches. Should two watch for a moment, nothing is told twice: what
// is remembered is written only over the revision that was read.
//
// Errors of the API server, the stream or the memory never end a Watcher: it tries again, and says so in the log.
package watch
