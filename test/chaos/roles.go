// SPDX-License-Identifier: Apache-2.0

package main

import (
	"math/rand/v2"
	"slices"
)

// roles are what a tocsin can be told to do, if it is not to do all.
var roles = [...]string{"ingest", "match", "correlate", "alert", "api"}

// atEdge is a replica that takes events in on a disk of its own and hands them over, also while NATS is away.
const atEdge = "edge"

// drawRoles draws what each of n processes does: each of them all, or two of them each thing. Beside them may be one at the edge.
func drawRoles(r *rand.Rand, n int) [][]string {
	out := drawAll(r, n)
	if r.IntN(2) == 0 {
		out = append(out, []string{atEdge})
	}
	return out
}

func drawAll(r *rand.Rand, n int) [][]string {
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
	if r.atEdge() {
		return role == "ingest"
	}
	return slices.Contains(r.roles, "all") || slices.Contains(r.roles, role)
}

func (r *replica) atEdge() bool { return r.roles[0] == atEdge }

// edges returns the replicas at the edge.
func (w *world) edges() []*replica {
	return slices.DeleteFunc(w.with("ingest"), func(r *replica) bool { return !r.atEdge() })
}

// spare reports whether others do all that the replica does. What one at the edge keeps nobody else has.
func (w *world) spare(r *replica) bool {
	if r.atEdge() {
		return false
	}
	for _, role := range roles {
		if r.does(role) && len(w.with(role)) < 2 {
			return false
		}
	}
	return true
}
