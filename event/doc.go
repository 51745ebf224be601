// SPDX-License-Identifier: Apache-2.0

// Package event is the shared noun: the Record as a source sent it, the Event
// it is normalised to, the registry of canonical fields, and identity.
//
// Everything here is a pure function of the bytes: no I/O, no clock, no log. The
// package imports nothing else of Tocsin.
package event
