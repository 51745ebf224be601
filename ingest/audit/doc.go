// SPDX-License-Identifier: Apache-2.0

// Package audit reads the Kubernetes API server's audit events (audit.k8s.io/v1, protocols.md 4.7): the EventList
// that its webhook posts, the lines of its log, and either inside what Vector forwards.
//
// [Expand] takes lists apart and [Redact] blanks the bodies of Secrets and tokens; both are done before a record is
// stored. [FromObject] makes an Event.
package audit
