// SPDX-License-Identifier: Apache-2.0

// Package proof makes and checks what shows that an audit log and the evidence of an incident were not changed afterwards.
//
// The entries of the audit log are the leaves of a Merkle tree (RFC 6962, by golang.org/x/mod/sumdb/tlog). A checkpoint is the root of
// the tree at some size, signed with Ed25519 (C2SP tlog-checkpoint). With it, an inclusion proof shows that an entry is in the tree, and
// a consistency proof that a later tree has all that an earlier one had. An evidence bundle has an incident's files, each named with its
// SHA-256 in a signed manifest.
//
// Nothing here does I/O: package store keeps the tree, package pipeline adds to it and reads it again. What a signature is worth is
// what its key is worth: who has both the key and the database can make another tree, which is found out by nothing but a checkpoint
// that was kept elsewhere.
package proof
