// SPDX-License-Identifier: Apache-2.0

package correlate_test

import (
	"fmt"
	"math/big"

	"tocsin/rules"
)

// The part of the oracle that looks further back than a window.

// conditions lists the conditions that a condition is made of.
func conditions(c rules.Cond) []rules.Cond {
	var parts []rules.Cond
	switch c := c.(type) {
	case rules.And:
		parts = c.X
	case rules.Or:
		parts = c.X
	case rules.Not:
		parts = []rules.Cond{c.X}
	default:
		return []rules.Cond{c}
	}
	var out []rules.Cond
	for _, x := range parts {
		out = append(out, conditions(x)...)
	}
	return out
}

// remember notes of each event what it is new for.
func (o oracle) remember(all []seen) []seen {
	out := append([]seen(nil), all...)
	for _, c := range conditions(o.rule.When) {
		f, ok := c.(rules.FirstSeen)
		if !ok {
			continue
		}
		for i, e := range all {
			if o.isNew(f, e, all) {
				fresh := map[string]bool{fmt.Sprint(f): true}
				for k := range out[i].fresh {
					fresh[k] = true
				}
				out[i].fresh = fresh
			}
		}
	}
	return out
}

// isNew decides first_seen for e. An event that comes more than learn + L late takes no part; one that comes when e can no
// longer be judged again is not known.
func (o oracle) isNew(c rules.FirstSeen, e seen, all []seen) bool {
	learn := int64(c.Learn)
	takes := func(x seen) bool {
		return x.bits&(1<<c.Pattern) != 0 && x.a <= x.t+learn+o.l()
	}
	value, whole := tuple(e, c.Values)
	if !takes(e) || !whole {
		return false
	}
	for _, x := range all {
		v, ok := tuple(x, c.Values)
		if takes(x) && x.a <= o.keep(e) && ok && v == value && x.t < e.t && x.t >= e.t-learn {
			return false
		}
	}
	return o.began(e, all, learn, takes) <= e.t-learn
}

// unusual decides rate for e. Days are those of UTC; the hour of an item is that of the wall.
func (o oracle) unusual(c rules.Rate, e seen, w, all []seen) bool {
	const day, hour = 86400, 3600
	late := int64(day) + o.l()
	date := func(t int64) int64 { return (zero + t) / day }
	takes := func(x seen) bool { return x.bits&(1<<c.Pattern) != 0 && x.a <= x.t+late }
	if e.a > e.t+late {
		return false
	}
	sum := int64(0)
	for _, x := range all {
		if d := date(e.t) - date(x.t); takes(x) && x.a <= o.keep(e) && d >= 1 && d <= 14 && (zero+x.t)%day/hour == (zero+e.t)%day/hour {
			sum++
		}
	}
	if date(o.began(e, all, 14*day, takes)) > date(e.t)-14 {
		return false
	}
	usual := big.NewRat(sum*o.t(), 14*hour)
	usual.Mul(usual, ratOf(c.Times))
	d := big.NewRat(number(w, c.Pattern, nil), 1).Cmp(usual)
	return d > 0 || d == 0 && c.Op == rules.GE
}

// began is when the pattern was seen first, going back from e with no gap longer than gap.
func (o oracle) began(e seen, all []seen, gap int64, takes func(seen) bool) int64 {
	begin := e.t
	for moved := true; moved; {
		moved = false
		for _, x := range all {
			if takes(x) && x.a <= o.keep(e) && x.t < begin && x.t >= begin-gap {
				begin, moved = x.t, true
			}
		}
	}
	return begin
}

func tuple(x seen, values []int) (out string, whole bool) {
	whole = true
	for _, v := range values {
		whole = whole && x.vals[v] != ""
		out += x.vals[v] + "|"
	}
	return out, whole
}
