// SPDX-License-Identifier: Apache-2.0

// Package sqlite is the store in one file, for the single binary.
//
// WAL with synchronous=FULL: a commit that returned is on disk. One connection writes, in
// transactions that take the write lock at once; others read beside it. Leases and the outbox go by
// the machine's clock. The file must not lie on a network disk, and one process is
// to use it: whoever serves holds the lock on the data directory. Errors are those of package store.
package sqlite
