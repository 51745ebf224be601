// SPDX-License-Identifier: Apache-2.0

package incident

import (
	"errors"

	"tocsin/event"
)

var (
	// ErrChanged says that an incident is not as it was when somebody decided what to do with it. Nothing was written.
	ErrChanged = errors.New("incident: it was changed meanwhile")
	// ErrFinal says that an incident is closed: its status changes no more.
	ErrFinal = errors.New("incident: it is closed")
	// ErrKeyTaken says that an idempotency key was used for something else.
	ErrKeyTaken = errors.New("incident: the idempotency key was used for something else")
)

// MergedError says that an incident was merged into another, which is the one to act on.
type MergedError struct{ Into string }

func (e *MergedError) Error() string { return "incident: it was merged into " + e.Into }

// JoinError says why two incidents cannot be merged, or one not be taken apart.
type JoinError struct{ Why string }

func (e *JoinError) Error() string { return "incident: " + e.Why }

// MaxParts bounds the incidents that are merged into one.
const MaxParts = 500

// Work is what somebody does with an incident (I4): nil and "" leave things as they are.
type Work struct {
	// Status is what it is set to. The store takes any but [Closed]: a closing goes through the log (I2), with its Verdict.
	Status  *Status
	Verdict Verdict
	// Assignee is who works on it; "" is nobody.
	Assignee *string
	// Comment is text.
	Comment string
	// By is who acts.
	By string
	// If has versions, one of which the incident must have; nil is any.
	If []string
	// Key makes work that comes twice one act, per By; "" for none.
	Key string
}

// The kinds of acts.
const (
	ActStatus   = "status"   // detail: from, to
	ActAssignee = "assignee" // detail: from, to; "" is nobody
	ActComment  = "comment"  // detail: text
	ActClose    = "close"    // detail: verdict
	ActMerge    = "merge"    // detail: into
	ActUnmerge  = "unmerge"  // detail: from, and why if nobody asked for it
	// ActNothing was asked for under a key and changed nothing: it is remembered for the key's sake, and never shown.
	ActNothing = "nothing"
)

// Act is what somebody did with an incident. It never changes.
type Act struct {
	ID       int64       `json:"id"`
	Incident string      `json:"incident"`
	At       event.Stamp `json:"at"`
	// Actor is who did it, "" if the server did.
	Actor string `json:"actor"`
	// Kind says what, and what Detail has.
	Kind   string            `json:"kind"`
	Detail map[string]string `json:"detail"`
}

// Done is what became of work.
type Done struct {
	// Acts are those that were written: none if everything was so already.
	Acts []Act
	// Firsts are the times from opening to the acts, in nanoseconds, of the incidents that nobody had acted on before.
	Firsts []int64
}
