// SPDX-License-Identifier: Apache-2.0

package proof

import "golang.org/x/mod/sumdb/tlog"

// Signed is a checkpoint with what it says.
type Signed struct {
	// Note is the checkpoint as it is signed, "" if there is none; Key is the public key.
	Note, Key string
	Tree      tlog.Tree
	// At is when it was signed, Unix nanoseconds.
	At int64
}

// Standing is how an audit log stands.
type Standing struct {
	Signed Signed
	// Checked is when the whole log was last read again, Unix nanoseconds, 0 for never; Problem is what did not verify, "" if all did.
	Checked int64
	Problem string
}
