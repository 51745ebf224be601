// SPDX-License-Identifier: Apache-2.0

package incident

import (
	"math"
	"time"

	"tocsin/event"
)

// Sighting is an incident as far as it says something of an entity's risk.
type Sighting struct {
	ID, Severity string
	Status       Status
	Verdict      Verdict
	// FirstEvent and LastEvent are Unix nanoseconds.
	FirstEvent, LastEvent int64
	// Shadow says that its rule tells nobody: it counts for nothing.
	Shadow bool
}

// halfLife is the time in which an incident comes to weigh half.
const halfLife = 7 * 24 * time.Hour

// Risk is what is known against an entity at a time, 0 to 100, of the incidents that it is in, in whatever order:
//
//	100 × (1 − ∏ (1 − severity × verdict × 0.5^(age / 7 days)))
//
// so that each incident takes its share of what the others left, and none alone is all. docs/api.md has the factors.
func Risk(now int64, seen []Sighting) float64 {
	left := 1.0
	for _, s := range seen {
		if s.Shadow {
			continue
		}
		age := max(event.Minus(now, s.LastEvent), 0)
		left *= 1 - severityShare(s.Severity)*verdictShare(s.Verdict)*math.Exp2(-float64(age)/float64(halfLife))
	}
	return math.Round(1000*(1-left)) / 10
}

// RiskAt is the risk of an entity at a time.
type RiskAt struct {
	At   event.Stamp `json:"at"`
	Risk float64     `json:"risk"`
}

// RiskOverTime is the risk now and at each of so many days before, the oldest first: of the events that there were by then, by the verdicts
// of today.
func RiskOverTime(now int64, seen []Sighting, days int) []RiskAt {
	out := make([]RiskAt, 0, days+1)
	for d := days; d >= 0; d-- {
		at := now - int64(d)*int64(24*time.Hour)
		var then []Sighting
		for _, s := range seen {
			if s.FirstEvent <= at {
				then = append(then, s)
			}
		}
		out = append(out, RiskAt{event.Stamp(at), Risk(at, then)})
	}
	return out
}

func severityShare(name string) float64 {
	switch name {
	case "critical":
		return 0.8
	case "high":
		return 0.5
	case "medium":
		return 0.25
	case "low":
		return 0.1
	}
	return 0.02
}

func verdictShare(v Verdict) float64 {
	switch v {
	case FalsePositive:
		return 0
	case Benign:
		return 0.1
	case TruePositive:
		return 1
	}
	return 0.7 // nobody has said
}
