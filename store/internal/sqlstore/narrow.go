// SPDX-License-Identifier: Apache-2.0

package sqlstore

import (
	"cmp"
	"context"
	"slices"
	"strconv"
	"strings"
)

const (
	// narrowest bounds the pieces of a text that are asked for: each costs a look at the index, and so many are of few incidents.
	narrowest = 8
	// looked bounds the pieces that are looked for in the incidents of a sample: so many, before each of so many times.
	looked, sampled, times = 40, 10, 10
)

// narrow leaves of what is asked for that which few incidents of a way have, beside what the way itself is of: what is in each text, as "use"
// of "user-7" is, or what most are, as closed, has the index read all of it and leaves out next to nothing. What is left out here is looked for
// in what the index finds. A few are read of each part of the time from the oldest to another. It returns the share of those that have all.
func (s *stages) narrow(ctx context.Context, w way, oldest, newest int64) (float64, error) {
	groups, pieces := s.of.groups, spread(s.of.pieces, looked)
	has := make([]string, len(groups))
	args := make([]any, 0, len(groups)+1)
	for n, anyOf := range groups {
		has[n] = "t.terms && ?"
		args = append(args, anyOf)
	}
	some, of := w.sample(oldest, newest)
	var found [][]bool
	err := s.q.Query(ctx, "SELECT t.has FROM ("+some+") AS w CROSS JOIN LATERAL (SELECT ARRAY["+strings.Join(has, ", ")+
		"]::boolean[] || ARRAY(SELECT strpos(t.search, piece) > 0 FROM unnest(?::text[]) AS piece) AS has FROM incident_terms t"+
		" WHERE t.incident = w.id OFFSET 0) AS t", slices.Concat(of, args, []any{pieces}), func(scan Scan) error {
		var i []bool
		err := scan(&i)
		found = append(found, i)
		return err
	})
	if err != nil || len(found) == 0 {
		return 1, err
	}
	left := narrowing(found, s.of.group(w.term), len(groups), short(pieces))
	s.of.groups, s.of.others, s.of.pieces = nil, nil, nil
	for n, g := range groups {
		if slices.Contains(left, n) {
			s.of.groups = append(s.of.groups, g)
		} else {
			s.of.others = append(s.of.others, g)
		}
	}
	for _, n := range left {
		if n >= len(groups) {
			s.of.pieces = append(s.of.pieces, pieces[n-len(groups)])
		}
	}
	return float64(count(found, func(i []bool) bool { return !slices.Contains(i, false) })) / float64(len(found)), nil
}

// sample selects some incidents of a way, from each part of a time.
func (w way) sample(oldest, newest int64) (string, []any) {
	until := make([]int64, times)
	for n := range until {
		until[n] = max(oldest, newest/times*int64(times-n)+oldest/times*int64(n)) // their difference may be too much for a number
	}
	until[0] = newest
	each := where{slices.Clip(w.conds), slices.Clip(w.args)}
	each.and(w.at + " <= p.until")
	return "SELECT n.id FROM unnest(?::bigint[]) AS p(until) CROSS JOIN LATERAL (SELECT " + w.id + " AS id FROM " + w.from + each.String() +
		" ORDER BY " + w.at + " DESC, " + w.id + " DESC LIMIT " + strconv.Itoa(sampled) + ") AS n", slices.Concat([]any{until}, each.args)
}

func with(some [][]bool, what int) [][]bool {
	return slices.DeleteFunc(slices.Clone(some), func(i []bool) bool { return !i[what] })
}

func count(some [][]bool, so func([]bool) bool) (n int) {
	for _, i := range some {
		if so(i) {
			n++
		}
	}
	return n
}

// narrowing returns what is worth asking for, of what some incidents have or have not: so many groups of terms, one of which they have always
// (-1 is none), and the pieces of a text. Groups are left out that most have, and pieces that do not leave out about half, the rarest first.
// A short piece is the sum of all that begin with it, which are read each time: it is not worth it beside groups that no incident has together.
func narrowing(found [][]bool, always, groups int, short bool) []int {
	order, of := make([]int, len(found[0])), make([]int, len(found[0]))
	for n := range order {
		order[n], of[n] = n, count(found, func(i []bool) bool { return i[n] })
	}
	var out []int
	for n := range groups {
		if n == always || of[n]*4 < len(found)*3 {
			out = append(out, n)
		}
	}
	if short && len(out) > 0 && count(found, func(i []bool) bool { return !slices.Contains(i[:groups], false) }) == 0 {
		return out
	}
	rarest := func(a, b int) int { return cmp.Compare(of[a], of[b]) }
	pieces := order[groups:]
	slices.SortStableFunc(pieces, rarest)
	left := found
	for _, n := range pieces[:min(len(pieces), narrowest)] {
		fewer := with(left, n)
		halves := len(left) > 0 && len(fewer)*2 <= len(left)
		if of[n]*4 < len(found) || halves || len(out) == 0 {
			out, left = append(out, n), fewer
		}
	}
	if len(out) == 0 {
		out = append(out, slices.MinFunc(order, rarest))
	}
	return out
}

// spread returns at most n of some, from all over.
func spread(all []string, n int) []string {
	if len(all) <= n {
		return all
	}
	out := make([]string, n)
	for i := range out {
		out[i] = all[i*len(all)/n]
	}
	return out
}
