// SPDX-License-Identifier: Apache-2.0

// Package pipeline has the loops that join the rooms: the match worker, the clock, the owner
// of a partition, the closing of an incident, and replay.
//
// A loop publishes before it acknowledges and commits before it tells: whatever a loop
// is killed between, another run of it finds the same work again and does it to the same end.
// The rooms it joins decide everything; a loop decides only when.
package pipeline
