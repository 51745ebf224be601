// SPDX-License-Identifier: Apache-2.0

//go:build !race

package sigma_test

// referenceEach is which events the reference matcher is asked about: all.
const referenceEach = 1
