// SPDX-License-Identifier: Apache-2.0

// Package incident makes Incidents of Detections: identity, grouping by
// gap and closing, joining, lifecycle (detection.md I1-I6).
//
// It is pure: what it answers depends on its arguments alone. It owns no clock, no
// store and no log.
package incident
