// SPDX-License-Identifier: Apache-2.0

package correlate

import (
	"tocsin/incident"
	"tocsin/rules"
)

// Entry is one message of a partition's log: exactly one of the fields is set.
type Entry struct {
	Matches *Matches
	Tick    *Tick
	Close   *Close
}

// Matches are the matches that one EVENTS message has in this partition.
type Matches struct {
	// Set is the hash of the rule Set that the batch was stamped with (R1), Generation which change of the current Set
	// it was.
	Set        string
	Generation uint64
	// Seq is the EVENTS sequence of the batch.
	Seq uint64
	// Part numbers the entries of one batch in this partition, where one would be too large.
	Part    uint64
	Matches []rules.Match
	// Counts are what the matcher counted for rules whose counts live in this partition.
	Counts []rules.Tally
}

// Tick moves the clock: all EVENTS messages up to Floor have been matched, and the
// stream's time was Clock (Unix nanoseconds) when they had been stored (C1).
type Tick struct {
	Floor uint64
	Clock int64
	// Set and Generation are what the marker was stamped with (R3): the engine keeps to the greatest generation.
	Set        string
	Generation uint64
	// Horizon is where the input ends (Unix nanoseconds; 0: it goes on): what is read ahead of an
	// event, `count(a) < n`, is judged up to it only (C4).
	Horizon int64
}

// Close is a closing by a person (I2).
type Close struct {
	// Rule is the revision, Group the grouping key, Incident the id of what is closed.
	Rule     string
	Group    rules.Key
	Incident string
	Verdict  incident.Verdict
	By       string
	// At is the stream's time of the message, Unix nanoseconds. It is not in
	// the message's bytes: whoever reads the log sets it.
	At int64
}

// Changes is what a partition's engine has to say since it was last asked. All
// values are absolute.
type Changes struct {
	Incidents  []incident.Incident
	Detections []DetectionChange
	Stats      []Stats
	// Closed are closings of incidents that the engine has forgotten, since nothing could join them any
	// more: whoever keeps them marks them closed.
	Closed []Close
}

// Empty reports whether there is nothing to say.
func (c Changes) Empty() bool {
	return len(c.Incidents) == 0 && len(c.Detections) == 0 && len(c.Stats) == 0 && len(c.Closed) == 0
}

// DetectionChange is a detection that is new or changed, or one that is gone
// because it was joined into another.
type DetectionChange struct {
	// Incident is the ID of the incident it belongs to.
	Incident  string
	Detection incident.Detection
	// Gone is true if the detection ceased to be: Detection has its ID alone.
	Gone bool
	// Moved is true if only its incident changed: Detection has its ID alone.
	Moved bool
	// New is true if it came into its first incident: receivers that want every detection are told of it once.
	New bool
	// Added and Removed are what the change does to the stored evidence.
	Added, Removed []incident.Evidence
}

// Stats are the public numbers of one rule in one partition, since the partition began.
type Stats struct {
	// Rule is the rule's ID.
	Rule string `json:"rule"`
	// Matched counts pattern matches; Unkeyed events without a key; Excepted events
	// that an exception covered; Late events that arrived more than L after their
	// time; Capped what a limit dropped; Retracted detections that were
	// contradicted; Dropped absences undecided when their rule changed (R3), and matches of an earlier version's rule
	// that this one does not compile.
	Matched    int64 `json:"matched"`
	Unkeyed    int64 `json:"unkeyed"`
	Excepted   int64 `json:"excepted"`
	Late       int64 `json:"late"`
	Capped     int64 `json:"capped"`
	Retracted  int64 `json:"retracted"`
	Dropped    int64 `json:"dropped"`
	Duplicates int64 `json:"duplicates"`
	Detections int64 `json:"detections"`
	Incidents  int64 `json:"incidents"`
	// Negative counts values below zero, which sums leave out.
	Negative int64 `json:"negative"`
	// Future counts events with a time after their arrival, by however little: they take part all the same (C3).
	Future int64 `json:"future"`
}

// Cell is the state of one (rule revision, grouping key): the unit of a snapshot.
type Cell struct {
	// ID is unique in the partition.
	ID string
	// State is nil if the cell is gone.
	State []byte
}
