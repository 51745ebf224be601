// SPDX-License-Identifier: Apache-2.0

// Package pred is what patterns compile to, native ones and those of Sigma: a tree of tests of an event's fields, as
// data. Being data it can be indexed, shared and explained; [Eval] says what it means.
package pred
