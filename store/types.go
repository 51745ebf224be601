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
	// Applied is the sequence that has been committed, Snapshot the one that the stored
	// cells account for (0: there is none), Format the version of their encoding.
	Applied, Snapshot uint64
	Format            int
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
	// MergedInto is the incident that it was joined into, "" if none.
	MergedInto string
	Revision   int64
}

// Work is what people write about an incident; nil leaves a value as it is.
type Work struct {
	// Status is any but closed: closing goes through the partition's log (I2).
	Status *incident.Status
	// Assignee is who works on it; "" is nobody.
	Assignee *string
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
