// SPDX-License-Identifier: Apache-2.0

// Package disk lets the power of a process fail: what it wrote to its files and did not ask the disk to keep is lost, or
// part of it is.
//
// A process that is built to call what [Watch] returns after each of its system calls keeps beside its directory a shadow: of each file what
// was synced last, and the names that files had then. [Settle] makes the shadow of a directory; [Lose] makes a directory what a
// disk could hold after the power has failed. The disk is one whose journal is in order, such as ext4's and XFS's: with a
// file's sync all names are on the disk that were changed before. It keeps what fsync, fdatasync and writes to files opened
// with O_SYNC or O_DSYNC were told to have kept, and no more of what was written than it likes.
package disk

// Env names the directory that a process's power can fail for, and its shadow, with a colon between.
const Env = "CHAOS_DISK"

// page is what a disk writes at once.
const page = 4096
