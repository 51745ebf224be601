// SPDX-License-Identifier: Apache-2.0

//go:build race

package sigma_test

// referenceEach is which events the reference matcher is asked about: with the race detector, which makes it take minutes
// and has nothing to find in it, each seventh.
const referenceEach = 7
