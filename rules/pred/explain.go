// SPDX-License-Identifier: Apache-2.0

package pred

import "tocsin/event/value"

// Reason is a part of why a condition holds of an event or does not.
type Reason struct {
	// Test is what decided, Holds whether it holds; a negated one decides by not holding.
	Test  *Test
	Holds bool
	// Value is what the test read.
	Value value.Value
}

// Explain says whether a condition holds of an event, and the tests that decide it: of what holds, those without which it
// would not; of what does not hold, those of which another answer would be needed. A constant has no reasons.
func Explain(n Node, e Event) (holds bool, why []Reason) {
	switch n := n.(type) {
	case And:
		return several(n, e, true)
	case Or:
		return several(n, e, false)
	case Not:
		holds, why = Explain(n.X, e)
		return !holds, why
	case Gated:
		if holds, why = Explain(n.Gate, e); !holds {
			return false, why
		}
		return Explain(n.X, e)
	case *Test:
		holds = n.eval(e)
		return holds, []Reason{{n, holds, n.Field.Read(e)}}
	}
	return Eval(n, e), nil
}

// several explains an And (all) or an Or: by the parts that break an And or make an Or, else by all of them.
func several(parts []Node, e Event, all bool) (holds bool, why []Reason) {
	var decisive, rest []Reason
	decided := false
	for _, x := range parts {
		h, w := Explain(x, e)
		if h != all {
			decisive, decided = append(decisive, w...), true
			if !all {
				return true, decisive // one is enough
			}
			continue
		}
		rest = append(rest, w...)
	}
	if decided {
		return !all, decisive
	}
	return all, rest
}
