// SPDX-License-Identifier: Apache-2.0

// Package alert tells people: which receivers a change of an incident goes to, what they are sent,
// and the delivery of what the outbox holds.
//
// Routing is pure. Delivery is at least once: each alert has one key for (incident, receiver,
// revision), the same at every attempt, so that a receiver can tell a repetition. An alert that cannot be
// delivered becomes dead, and stays where people see it.
package alert
