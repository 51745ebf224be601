// SPDX-License-Identifier: Apache-2.0

// Package postgres is the store on PostgreSQL, for anything with two replicas.
//
// A commit is one round trip: the fence and all steps go out as one pipeline, each step with
// its rows as arrays. The fence divides by the number of rows it changed, so that a
// commit of an owner that was replaced fails at the first statement and takes the rest with it.
// Leases and the outbox go by the server's clock. Errors are those of package store;
// a lost connection, a deadlock or a serialisation failure comes back as it is, and the same
// commit may be tried again.
package postgres
