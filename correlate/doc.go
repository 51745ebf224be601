// SPDX-License-Identifier: Apache-2.0

// Package correlate is the pure engine: a state machine over the entries of one
// partition's log.
//
// [Engine.Step] takes one entry (matches, a tick of the clock, a closing by a
// person); [Engine.Changes] drains what became of incidents since. The engine
// owns no goroutine, clock, socket or log; the same entries give the same changes,
// and the same set of matches gives the same incidents in whatever order
// the entries bring them (detection.md, "Semantics").
package correlate
