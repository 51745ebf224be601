// SPDX-License-Identifier: Apache-2.0

// Package rules turns rule files into an immutable compiled Set, and an Event into the
// Matches that the Set sees in it (detection.md).
//
// [Compile] reads files that somebody else has loaded; all mistakes of all files are
// reported at once, each with file, line and what was meant. [Set.Match] holds no
// state, does no I/O and reads no clock: the same event always yields the same
// matches, and no event can make it fail. Anything that spans two events belongs to package correlate.
package rules
