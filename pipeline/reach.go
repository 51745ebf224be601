// SPDX-License-Identifier: Apache-2.0

package pipeline

import (
	"crypto/sha256"
	"math/bits"

	"tocsin/correlate"
	"tocsin/rules"
)

// reach keeps how far the keys of each rule came, so that a rule that found nothing can be told
// from one that nearly did.
type reach struct {
	seen map[string]map[rules.Key]uint64 // patterns by rule and key
}

func newReach() *reach { return &reach{seen: make(map[string]map[rules.Key]uint64)} }

func (r *reach) note(set *rules.Set, m *rules.Match) {
	rule := set.ByRevision(m.Rule)
	if rule == nil || len(m.Path) > 0 {
		return
	}
	keys := r.seen[rule.ID]
	if keys == nil {
		keys = make(map[rules.Key]uint64)
		r.seen[rule.ID] = keys
	}
	keys[m.Key] |= m.Patterns
}

func (r *reach) stats(set *rules.Set, found map[string]correlate.Stats) map[string]RuleStats {
	out := make(map[string]RuleStats, len(set.Rules))
	for _, rule := range set.Rules {
		s := RuleStats{Stats: found[rule.ID], Keys: len(r.seen[rule.ID])}
		s.Rule = rule.ID
		for _, p := range r.seen[rule.ID] {
			s.Furthest = max(s.Furthest, bits.OnesCount64(p))
		}
		out[rule.ID] = s
	}
	return out
}

func contentHash(source string, raw []byte) [32]byte {
	h := sha256.New()
	h.Write([]byte(source))
	h.Write([]byte{0})
	h.Write(raw)
	return [32]byte(h.Sum(nil))
}
