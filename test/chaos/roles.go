// SPDX-License-Identifier: Apache-2.0

package main

import (
	"math/rand/v2"
	"slices"
)

// roles are what a tocsin can be told to do, if it is not to do all.
var roles = [...]string{"ingest", "match", "correlate", "alert", "api"}

// drawRoles draws what each of n processes does: each of them all, or two of them each thing.
func drawRoles(r *rand.Rand, n int) [][]string {
	out := make([][]string, n)
	if n < 3 || r.IntN(3) == 0 {
		for i := range out {
			out[i] = []string{"all"}
		}
		return out
	}
	for _, role := range roles {
		for _, i := range r.Perm(n)[:2] {
			out[i] = append(out[i], role)
		}
	}
	for i := range out {
		if len(out[i]) == 0 {
			out[i] = []string{roles[r.IntN(len(roles))]}
		}
	}
	return out
}

// does reports whether the replica has a role.
func (r *replica) does(role string) bool {
	return slices.Contains(r.roles, "all") || slices.Contains(r.roles, role)
}

// spare reports whether others do all that the replica does.
func (w *world) spare(r *replica) bool {
	for _, role := range roles {
		if r.does(role) && len(w.with(role)) < 2 {
			return false
		}
	}
	return true
}
