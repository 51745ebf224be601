// SPDX-License-Identifier: Apache-2.0

package store

import (
	"time"

	"tocsin/incident"
	"tocsin/rules"
)

// Lease is one partition in the hands of an owner.
type Lease struct {
	Partition int
	// Epoch grows with every owner: it is the fence of all commits.
	Epoch int64
	// Stream identifies the MATCHES stream that the two sequences belong to; "" before the first commit.
	Stream string
	// Applied is the sequence that has been committed, Snapshot the one that the last snapshot accounts for (0: there is
	// none), Format the version of its encoding, and Before the sequence of the snapshot before it, which is kept (0: there
	// is none).
	Applied, Snapshot uint64
	Format            int
	Before            uint64
	// Clock is the engine's at the last commit, Unix nanoseconds.
	Clock int64
}

// PartitionState is where one partition stands.
type PartitionState struct {
	Lease
	// Owner is "" if the partition is free.
	Owner string
}

// Place is where an incident lives: its partition, and the rule revision and grouping key that
// its chain is kept under.
type Place struct {
	Partition int
	// RuleID is the rule's name, Rule its revision.
	RuleID, Rule string
	Group        rules.Key
	Status       incident.Status
	Verdict      incident.Verdict
	// MergedInto is the incident that it was joined into, "" if none; Joined says that people did it. Parts are the open ones that people merged into it, and
	// into those.
	MergedInto string
	Joined     bool
	Parts      []string
	Revision   int64
	// Opened is when its rule first fired, Acts how often people acted on it.
	Opened, Acts int64
}

// LeftOpen is an incident that people merged into one that was closed meanwhile: with what verdict, and by whom.
type LeftOpen struct {
	ID      string
	Verdict incident.Verdict
	By      string
}

// Count is the number of incidents with one status, severity and shadow mark.
type Count struct {
	Status   incident.Status
	Severity rules.Severity
	Shadow   bool
	N        int64
}

// The states of an alert in the outbox.
const (
	Pending = "pending"
	Sent    = "sent"
	Dead    = "dead"
	// Silenced is one that somebody does not want to hear now. Once it is finished it will not be told.
	Silenced = "silenced"
)

// OutboxRow is an alert in the outbox.
type OutboxRow struct {
	ID       int64
	Incident string
	Revision int64
	Receiver string
	// Detection is the one that the alert is about, "" if it is about the incident.
	Detection string
	Kind      string
	Body      []byte
	State     string
	// Attempts counts the claims so far, this one included.
	Attempts int
	// Created, NotBefore and Finished are Unix nanoseconds by the store's clock; Finished is 0
	// while the alert is pending.
	Created, NotBefore, Finished int64
	// Error is what the last attempt that failed said.
	Error string
	// Terms are the [OutboxItem]'s. SilencedBy names what keeps it from being told.
	Terms, SilencedBy string
	// Title is the incident's of now, "" if there is none any more; a list has it.
	Title string
}

// Retry is what became of an attempt after which the alert is pending; after others it is [Sent], [Dead] or [Silenced].
const Retry = "retry"

// Delivery is what became of one attempt to tell an alert, and the mark of that: where to read on.
type Delivery struct {
	Mark string
	// Alert is the ID of the [OutboxRow] that the next five are of.
	Alert     int64
	Incident  string
	Revision  int64
	Receiver  string
	Detection string
	Kind      string
	Outcome   string
	Attempt   int
	// Why is what the receiver said, or what silences the alert. Time is by the store's clock, Unix nanoseconds.
	Why  string
	Time int64
}

// Told is what a receiver knows of an incident: the last alert about it that it took.
type Told struct {
	Incident, Receiver string
	Revision           int64
	Kind               string
	Body               []byte
	// Place is where the receiver keeps it, in the receiver's words; Status is the incident's that it knows.
	Place, Status, Terms string
	// Resend is after what time it is sent again as it is, Repeat after what time there is another alert to remind of it; 0 is
	// never, and one of the two is. For is how long it is sent again, 0 as long as the incident is open.
	Resend, Repeat, For time.Duration
	// Over says that nothing has to be kept any longer than For.
	Over bool
}

// Silence mutes the alerts of the incidents that its matchers match. Times are Unix nanoseconds.
type Silence struct {
	ID               string
	Matchers         []string
	Comment, Creator string
	Starts, Ends     int64
	Created          int64
	// Revision grows with each change, from 1.
	Revision int64
}

// ReceiverStats is how the alerts to one receiver stand.
type ReceiverStats struct {
	Receiver                string
	Pending, Silenced, Dead int64
	// Oldest is the age of the oldest pending one, 0 if there is none.
	Oldest time.Duration
	// Attempts are those of the pending alert that was tried last, and Error what the receiver said.
	Attempts int
	Error    string
}

// OutboxStats is how the outbox stands.
type OutboxStats struct {
	Pending, Dead int64
	// Oldest is the age of the oldest pending alert by the store's clock, 0 if there is none.
	Oldest time.Duration
}

// OutboxFilter selects alerts; empty fields select all.
type OutboxFilter struct {
	State, Receiver, Incident string
	Limit                     int
	Cursor                    string
}
