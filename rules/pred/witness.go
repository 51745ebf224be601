// SPDX-License-Identifier: Apache-2.0

package pred

import (
	"slices"
	"strings"

	"tocsin/event/value"
)

// where says which part of a field's text a witness looks for.
type where uint8

const (
	present where = iota // no text: the field is there at all
	whole
	start
	end
	anywhere
	integer
)

// witness is something simple about one field that is seen in an event, or not. Texts are folded, whether or not the
// test folds: a witness may be seen where the test does not hold, never the other way round.
type witness struct {
	field string // Field.key
	where where
	text  string
	n     int64
}

// minInside is the length in bytes of the shortest text that is looked for inside others.
const minInside = 2

// witnesses returns a set of which one is seen in every event of which the condition holds, and how rarely that is the
// case, more or less: 0 if there is no such set.
func witnesses(n Node) (set []witness, worth int) {
	switch n := n.(type) {
	case And:
		for _, x := range n {
			if s, w := witnesses(x); w > worth || w == worth && w > 0 && len(s) < len(set) {
				set, worth = s, w
			}
		}
		return set, worth
	case Or:
		worth = maxWorth
		for _, x := range n {
			s, w := witnesses(x)
			if w == 0 {
				return nil, 0
			}
			set, worth = append(set, s...), min(worth, w)
		}
		if len(n) == 0 {
			return nil, maxWorth // never holds: no event has a witness
		}
		return set, worth
	case Const:
		if !n {
			return nil, maxWorth
		}
	case Gated: // within another condition
		return witnesses(And{n.Gate, n.X})
	case *Test:
		return n.witnesses()
	}
	return nil, 0
}

// maxWitnesses bounds the witnesses of one test.
const maxWitnesses = 2000

// The worths of witnesses: a text is worth its length, up to maxText; any text is worth more than an integer or presence.
const (
	worthPresent = 1
	worthInteger = 3
	worthText    = 4
	maxText      = 16
	maxWorth     = worthText + maxText
)

func (t *Test) witnesses() ([]witness, int) {
	at := t.Field.key()
	there := []witness{{field: at, where: present}}
	if t.Op == Null || t.Op == There { // null is there, and nothing is seen of it
		return nil, 0
	}
	if t.Other != nil && t.Field.Const.Exists() {
		return []witness{{field: t.Other.key(), where: present}}, worthPresent
	}
	if t.Other != nil || t.Number || t.Op == Exists {
		return there, worthPresent
	}
	if len(t.Texts) > maxWitnesses { // a long list is looked up in one step
		return there, worthPresent
	}
	var set []witness
	worth := maxWorth
	add := func(w where, text string) {
		text = Fold(text)
		n := len(text)
		if n == 0 || w == anywhere && n < minInside {
			set, worth = append(set, there...), worthPresent
			return
		}
		set, worth = append(set, witness{field: at, where: w, text: text}), min(worth, worthText+min(n, maxText))
	}
	switch t.Op {
	case Equal, Has:
		for _, v := range t.Values {
			if s, ok := v.Str(); ok {
				add(whole, s)
			} else if n, ok := integral(v); ok {
				set, worth = append(set, witness{field: at, where: integer, n: n}), min(worth, worthInteger)
			} else {
				return there, worthPresent
			}
		}
	case Is:
		for _, s := range t.Texts {
			add(whole, s)
		}
	case Prefix:
		for _, s := range t.Texts {
			add(start, s)
		}
	case Suffix:
		for _, s := range t.Texts {
			add(end, s)
		}
	case Contains:
		for _, s := range t.Texts {
			add(anywhere, s)
		}
	case Like, Match:
		texts := t.needs()
		if texts == nil {
			return there, worthPresent
		}
		for _, s := range texts {
			add(anywhere, s)
		}
	default:
		return there, worthPresent
	}
	return set, worth
}

// needs returns texts of which one stands, once both are folded, in every text that a test of patterns fits; nil if there are none.
func (t *Test) needs() (texts []string) {
	switch t.Op {
	case Match:
		texts = required(t.Regexp.String())
	case Like:
		for _, g := range t.Globs {
			texts = append(texts, g.longest())
		}
	}
	for i, s := range texts {
		if texts[i] = Fold(s); s == "" {
			return nil
		}
	}
	return texts
}

// longest returns the longest run of literal runes.
func (g Glob) longest() string {
	best := ""
	for _, c := range g.Chunks {
		var b strings.Builder
		for _, r := range append(slices.Clip(c), Rune{Any: true}) {
			if !r.Any {
				b.WriteRune(r.R)
				continue
			}
			if b.Len() > len(best) {
				best = b.String()
			}
			b.Reset()
		}
	}
	return best
}

// integral returns a number that is an integer within 64 bits.
func integral(v value.Value) (int64, bool) {
	if n, ok := v.Int64(); ok {
		return n, true
	}
	if f, ok := v.Float64(); ok && f >= -1<<63 && f < 1<<63 && f == float64(int64(f)) {
		return int64(f), true
	}
	return 0, false
}
