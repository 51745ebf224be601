// SPDX-License-Identifier: Apache-2.0

package sqlstore

import (
	"cmp"
	"context"
	"slices"
)

const (
	// narrowest bounds the pieces of a text that are asked for: each costs a look at the index, and so many are of few incidents.
	narrowest = 8
	// looked bounds the pieces that are looked for, and sample the incidents of a walk that they are looked for in.
	looked, sample = 40, 250
)

// narrow leaves of a text's pieces those that few incidents of a walk have: what is in each text, as "use" of "user-7" is, has the index read
// all of it and leaves out nothing. Whatever is left, the text itself is looked through. It returns about how many of the walk the index
// would find, whatever their status.
func (s *stages) narrow(ctx context.Context, w way) (int, error) {
	if len(s.of.pieces) == 0 {
		return 0, nil
	}
	pieces := spread(s.of.pieces, looked)
	f := s.f
	f.Status = nil
	grouped := termsOf(f).grouped()
	grouped.and("true")
	n := min(s.walk, sample)
	walk, args := w.page(n, 0)
	var found []walked
	err := s.q.Query(ctx, "SELECT t.* FROM ("+walk+") AS w CROSS JOIN LATERAL (SELECT "+grouped.all()+
		", ARRAY(SELECT n - 1 FROM unnest(?::text[]) WITH ORDINALITY AS p(piece, n) WHERE strpos(t.search, piece) > 0) FROM incident_terms t"+
		" WHERE t.incident = w.id OFFSET 0) AS t", append(append(args, grouped.args...), pieces), func(scan Scan) error {
		var i walked
		err := scan(&i.grouped, &i.has)
		found = append(found, i)
		return err
	})
	if err != nil {
		return 0, err
	}
	left := narrowing(pieces, found, len(s.of.groups) > 0)
	s.of.pieces = make([]string, len(left))
	for i, n := range left {
		s.of.pieces[i] = pieces[n]
		found = with(found, n)
	}
	return count(found, func(i walked) bool { return i.grouped }) * s.walk / n, nil
}

// walked is what is known of an incident of a walk: whether it has all that is asked for beside the text, and which pieces.
type walked struct {
	grouped bool
	has     []int64
}

func (i walked) with(piece int) bool { return slices.Contains(i.has, int64(piece)) }

func with(some []walked, piece int) []walked {
	return slices.DeleteFunc(slices.Clone(some), func(i walked) bool { return !i.with(piece) })
}

func count(some []walked, so func(walked) bool) (n int) {
	for _, i := range some {
		if so(i) {
			n++
		}
	}
	return n
}

// narrowing returns which of some pieces are worth asking for, the rarest first; grouped is whether more than a text is asked for. A short
// one is the sum of all that begin with it, which are read each time: it is not worth it beside what no incident of a walk has.
func narrowing(pieces []string, found []walked, grouped bool) []int {
	if grouped && short(pieces) && count(found, func(i walked) bool { return i.grouped }) == 0 {
		return nil
	}
	order, of := make([]int, len(pieces)), make([]int, len(pieces))
	for n := range pieces {
		order[n], of[n] = n, count(found, func(i walked) bool { return i.with(n) })
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(of[a], of[b]) })
	var out []int
	left := found
	for _, n := range order[:min(len(order), narrowest)] {
		fewer := with(left, n)
		halves := len(left) > 0 && len(fewer)*2 <= len(left)
		if of[n]*4 < len(found) || halves || (len(out) == 0 && !grouped) {
			out, left = append(out, n), fewer
		}
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
