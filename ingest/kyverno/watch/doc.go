// SPDX-License-Identifier: Apache-2.0

// Package watch follows the policy reports and the blocked admissions of a Kubernetes cluster, and commits a record of
// each change (protocols.md 2).
//
// A [Watcher] looks for both families of reports by discovery, whichever is there, and goes on looking: a CRD may come
// late and go again. It is driven by what is, not by what it is told: a watch only says which object to look at, each
// look compares the object with what is remembered, and a full list at intervals makes good what a watch missed. What
// happened while nobody watched is found at the next start, since what is remembered outlives the process.
//
// Several replicas agree by a Lease on the one that watches. Should two watch for a moment, as when a leader was frozen and
// does not know yet that it is none, nothing is told twice and nothing of the past is told as news: what is remembered is
// written only over the revision that was read, only by whoever listed the kind last, and only while the Lease is surely
// the writer's own. What is left is a replica that freezes between the last look and the write: it may tell a change
// that it saw before and that the other never had to tell; the other's next list makes it good.
//
// Errors of the API server, the stream or the memory never end a Watcher: it tries again, and says so in the log. Those of
// the API server it also counts and hands on, and it tells which kinds it sees.
package watch
