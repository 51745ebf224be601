// SPDX-License-Identifier: Apache-2.0

package pipeline

import (
	"tocsin/correlate"
	"tocsin/rules"
)

// What a message of a partition's log holds at the most, but for one entry or match that is larger by itself. All of it has to
// fit a message of NATS, whatever a round brings together and however little of it can be compressed.
const (
	maxEntryMatches = 2000
	maxEntryBytes   = 1 << 20
	maxMessageBytes = 1 << 20
	// A record is 1 MiB at the most, and a match has parts of it several times over: its keys, values and fields.
	maxMatchBytes = 4 << 20
)

// sizeOf returns about how many bytes a match takes in the log.
func sizeOf(m *rules.Match) int {
	n := 128 + len(m.Rule) + len(m.Key) + len(m.Group) + len(m.Event.About)
	for _, v := range m.Values {
		n += len(v) + 4
	}
	return n
}

// fitting returns how many of the matches one entry has: by what they are, so that a redelivery makes the same entries.
func fitting(matches []rules.Match) int {
	bytes := 0
	for i := range matches {
		bytes += sizeOf(&matches[i])
		if i > 0 && (i == maxEntryMatches || bytes > maxEntryBytes) {
			return i
		}
	}
	return len(matches)
}

// messages encodes entries as messages.
func messages(entries []correlate.Entry) [][]byte {
	var out [][]byte
	from, bytes := 0, 0
	for i, e := range entries {
		n := 0
		for j := range e.Matches.Matches {
			n += sizeOf(&e.Matches.Matches[j])
		}
		if i > from && bytes+n > maxMessageBytes {
			out = append(out, correlate.EncodeEntries(entries[from:i]))
			from, bytes = i, 0
		}
		bytes += n
	}
	if from < len(entries) {
		out = append(out, correlate.EncodeEntries(entries[from:]))
	}
	return out
}
