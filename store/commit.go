// SPDX-License-Identifier: Apache-2.0

package store

import (
	"time"

	"tocsin/correlate"
	"tocsin/incident"
	"tocsin/rules"
)

// Commit is what one step of a partition's owner writes, all of it or nothing.
type Commit struct {
	// Partition and Epoch are the fence: they must be the lease's.
	Partition int
	Epoch     int64
	// Stream identifies the MATCHES stream, Applied is the sequence up to which the
	// changes account for it. Within one stream it never goes back.
	Stream  string
	Applied uint64
	// Clock is the engine's, Unix nanoseconds.
	Clock   int64
	Changes correlate.Changes
	// Evidence has the frozen bytes of the evidence that Changes adds. Evidence that is
	// added and not here is kept without its bytes, and its note says so.
	Evidence []Evidence
	Outbox   []OutboxItem
	// Snapshot is nil in most commits.
	Snapshot *Snapshot
	// Lease is how long the partition's lease holds from the commit's end, if it was not given back; 0 changes nothing. Who
	// commits is alive, and [Partitions.Renew] passes by what is being committed.
	Lease time.Duration
}

// Evidence is one piece of added evidence with its frozen bytes.
type Evidence struct {
	Detection, Incident string
	Step                string
	Ref                 rules.EventRef
	Item                incident.EvidenceItem
}

// OutboxItem is an alert to one receiver. (Incident, Revision, Receiver, Detection) is its identity:
// another item with the same one is the same alert.
type OutboxItem struct {
	Incident string
	Revision int64
	Receiver string
	// Detection is the one that the alert is about, "" if it is about the incident.
	Detection string
	// Kind is what became of the incident: opened, updated, closed, …
	Kind string
	Body []byte
	// NotBefore is the earliest time to send it by the store's clock, Unix nanoseconds; 0 is at once.
	NotBefore int64
	// Wait is after what time it is sent at the earliest; with it NotBefore says nothing.
	Wait time.Duration
	// Terms say how it is to be told, in the words of package alert.
	Terms string
}

// Snapshot is the part of a partition's state that changed since the last one.
type Snapshot struct {
	// Seq is the MATCHES sequence that the state accounts for, Before that of the snapshot since which the cells changed (0:
	// there is none): it is kept, and none that is older.
	Seq, Before uint64
	// Format is the version of the cells' encoding.
	Format int
	// Cells are those that changed; one without State is gone.
	Cells []correlate.Cell
	// Full says that the cells are the whole state: what was stored before goes.
	Full bool
	// Undo says that Before is not the last one in the store: what was saved after it could not be read, and goes.
	Undo bool
}
