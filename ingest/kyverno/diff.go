// SPDX-License-Identifier: Apache-2.0

package kyverno

import (
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"slices"

	"tocsin/event"
)

// The transitions of a result, and the value of event.action for each (protocols.md 2.5).
const (
	Violation = "violation"
	Resolved  = "resolved"
	Removed   = "removed"
)

// Why a violation was removed and not resolved: nobody has mended anything.
const (
	ReportGone = "report_gone" // the report, and most often its resource, was deleted
	ResultGone = "result_gone" // the policy was deleted, renamed or no longer applies
	Skipped    = "skipped"     // the policy leaves the resource out now, mostly by an exception
)

// stepLimit bounds the records of one step, and so the size of a State that carries them.
const stepLimit = 100

// Diff compares a report with what is remembered of it (protocols.md 2.5).
type Diff struct {
	// Cluster names the cluster; it is a part of every identity.
	Cluster string
	// AtStart marks the violations of a report that was there before anybody watched: when they began is not known.
	AtStart bool
	// Seen is when the report was seen to be so, in Unix nanoseconds: the time of what has no time of its own.
	Seen int64
}

// Step returns the records that lead from a State towards a report, and the State that they lead to. A nil report is
// one that is gone. Without records nothing changed, and the State is the old one. A step yields a bounded number
// of records: the next step goes on from the new State until none are left. The old State is not changed.
func (d Diff) Step(old State, rep *Report) (State, []Record) {
	now := current(rep)
	keys := slices.AppendSeq(slices.Collect(maps.Keys(now)), maps.Keys(old.Standing))
	slices.Sort(keys)
	var records []Record
	next := old.clone()
	next.Step++
	for _, k := range slices.Compact(keys) {
		standing, stands := old.Standing[k]
		res := now[k]
		var r Record
		switch {
		case !stands && res.IsViolation():
			r = d.begin(res)
		case stands && res == nil && rep == nil:
			r = d.end(standing, ReportGone)
			delete(next.Standing, k)
		case stands && res == nil:
			r = d.end(standing, ResultGone)
			delete(next.Standing, k)
		case stands && res.Result == "skip":
			r = d.end(standing, Skipped)
			delete(next.Standing, k)
		case stands && res.Result == "pass":
			r = d.mend(standing, res)
			delete(next.Standing, k)
		default:
			continue
		}
		if rep != nil {
			r.Report = &rep.Ref
		}
		r.Cluster, r.Seen = d.Cluster, event.Stamp(d.Seen)
		r.ID = identity(&r, k, old)
		next.Last = max(next.Last, r.stamp())
		if r.Transition == Violation {
			next.Standing[k] = Standing{
				ID: r.ID, Source: res.Source, Policy: res.Policy, Rule: res.Rule, Category: res.Category,
				Severity: res.Severity, Result: res.Result, Resource: res.Resource, Since: event.Stamp(r.time()),
			}
		}
		records = append(records, r)
		if len(records) == stepLimit {
			break
		}
	}
	if len(records) == 0 {
		return old, nil
	}
	return next, records
}

// begin is a violation that was not there before, or that did not violate.
func (d Diff) begin(res *Result) Record {
	r := Record{Transition: Violation, AtStart: d.AtStart}
	r.take(res)
	return r
}

// mend is a violation whose policy passes now.
func (d Diff) mend(s Standing, res *Result) Record {
	r := Record{Transition: Resolved, Was: s.Result, Since: s.Since}
	r.take(res)
	return r
}

// end is a violation that nobody judges any more.
func (d Diff) end(s Standing, why string) Record {
	return Record{
		Transition: Removed, Why: why, Was: s.Result, Since: s.Since,
		Source: s.Source, Policy: s.Policy, Rule: s.Rule, Category: s.Category, Severity: s.Severity, Scope: s.Resource,
	}
}

// identity is the hash of cluster, key, transition and second of the transition (protocols.md 2.5), and of the report's
// UID: a report that is deleted and made again within a second says something new. What ends without a time of its own
// is known by the violation that it ends. A source whose timestamps stand still would tell a second violation as
// the first once more: there the step tells them apart.
func identity(r *Record, key string, old State) string {
	w := event.Writer{}
	w.String(r.Cluster)
	w.String(key)
	w.String(r.Transition)
	if at := r.stamp(); r.Transition == Removed {
		w.String(old.Standing[key].ID)
	} else {
		if r.Report != nil {
			w.String(r.Report.UID)
		}
		w.Int(at)
		if at <= old.Last {
			w.Uint(old.Step)
		}
	}
	sum := sha256.Sum256(w.B)
	return hex.EncodeToString(sum[:16])
}
