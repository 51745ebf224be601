// SPDX-License-Identifier: Apache-2.0

//go:build !race

package pipeline_test

// simShare is what part of the schedules is tried: all.
const simShare = 1
