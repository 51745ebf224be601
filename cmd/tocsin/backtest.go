// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"slices"

	"tocsin/api"
	"tocsin/correlate"
	"tocsin/event"
	"tocsin/incident"
	"tocsin/pipeline"
	"tocsin/rules"
)

// postedFile is what a rule file that was posted is called.
const postedFile = "posted.yml"

// compilePosted compiles a rule file together with those in force and returns a Set of its rules alone, and what is wrong with it, by
// line. What is wrong with others is not told; of two rules with one id it is the posted one.
func compilePosted(text string, files []rules.File) (*rules.Set, []error) {
	all := []rules.File{{Name: postedFile, Data: []byte(text)}}
	for _, f := range files {
		if f.Name != postedFile {
			all = append(all, f)
		}
	}
	set, errs := rules.CompileLenient(all)
	var wrong []error
	for _, err := range errs {
		if e, ok := errors.AsType[*rules.Error](err); ok && e.File == postedFile {
			wrong = append(wrong, e)
		}
	}
	var own []*rules.Rule
	for _, r := range set.Rules {
		if r.File == postedFile {
			own = append(own, r)
		}
	}
	if len(own) == 0 && len(wrong) == 0 {
		wrong = []error{&rules.Error{File: postedFile, Line: 1, Err: errors.New("there is no rule in it")}}
	}
	slices.SortStableFunc(wrong, func(a, b error) int { return atLine(a) - atLine(b) })
	return set.Only(own...), wrong
}

func atLine(err error) int {
	if e, ok := errors.AsType[*rules.Error](err); ok {
		return e.Line
	}
	return 0
}

func (b backend) StartBacktest(_ context.Context, q api.BacktestStart) (api.Backtest, error) {
	current := b.n.sets.Current()
	set, wrong := compilePosted(q.Rule, current.Files)
	if len(wrong) > 0 {
		bad := &api.BadRulesError{}
		for _, err := range wrong {
			bad.Mistakes = append(bad.Mistakes, err.Error())
		}
		return api.Backtest{}, bad
	}
	var base *rules.Set
	if q.Compare {
		var same []*rules.Rule
		for _, r := range set.Rules {
			if was := current.ByID(r.ID); was != nil {
				same = append(same, was)
			}
		}
		base = current.Only(same...)
	}
	job, err := b.n.backtests.Start(set, base, q.Since, q.Until)
	if err != nil {
		return api.Backtest{}, busy(err)
	}
	return viewBacktest(job), nil
}

func (b backend) Backtest(_ context.Context, id string) (api.Backtest, error) {
	job, err := b.n.backtests.Job(id)
	if err != nil {
		return api.Backtest{}, err
	}
	return viewBacktest(job), nil
}

func (b backend) CancelBacktest(_ context.Context, id string) error { return b.n.backtests.Cancel(id) }

func (b backend) NearMisses(ctx context.Context, rule string, scope incident.Scope) (api.NearMisses, error) {
	set := b.n.sets.Current()
	r := set.ByID(rule)
	if r == nil {
		return api.NearMisses{}, incident.ErrNotFound
	}
	found, err := b.n.searcher.Near(ctx, set, r, scope, b.n.cfg.Lateness)
	if err != nil {
		return api.NearMisses{}, busy(err)
	}
	out := api.NearMisses{Items: []api.NearMiss{}, Keys: found.Keys, Since: event.Stamp(found.Since), Complete: found.Complete}
	for _, n := range found.Near {
		out.Items = append(out.Items, viewNear(r, n))
	}
	return out, nil
}

func viewNear(r *rules.Rule, n correlate.Near) api.NearMiss {
	v := api.NearMiss{Rule: r.ID, Key: keyOf(r, n.Key), At: event.Stamp(n.At), Done: n.Done, Steps: []api.NearStep{}}
	for _, s := range n.Steps {
		v.Steps = append(v.Steps, api.NearStep(s))
	}
	return v
}

func viewBacktest(j pipeline.BacktestJob) api.Backtest {
	v := api.Backtest{ID: j.ID, State: j.State, Done: j.Done, Of: j.Of, Searched: j.Searched, Matched: j.Matched, Rules: []string{}}
	for _, r := range j.Set.Rules {
		v.Rules = append(v.Rules, r.ID)
	}
	if j.Err != nil {
		v.Error = "the stream does not answer"
		if _, bug := errors.AsType[*event.Panic](j.Err); bug {
			v.Error = j.Err.Error()
		}
	}
	if j.Result == nil {
		return v
	}
	res := j.Result
	v.Result = &api.BacktestResult{
		IncidentCount: res.Total, Incidents: []api.BacktestIncident{}, MatchesPerDay: res.Days,
		NearMisses: []api.NearMiss{}, NearLeftOut: res.NearLeftOut, Stopped: res.Stopped, Until: event.Stamp(res.Until),
	}
	for i := range res.Incidents {
		v.Result.Incidents = append(v.Result.Incidents, *viewPredicted(&res.Incidents[i]))
	}
	if res.Changes != nil {
		c := &api.BacktestComparison{
			Same: res.Changes["same"], Added: res.Changes["added"], Removed: res.Changes["removed"], Changed: res.Changes["changed"],
			Differences: []api.BacktestDifference{},
		}
		for _, d := range res.Differences {
			c.Differences = append(c.Differences, api.BacktestDifference{Change: d.Change, Fields: d.Fields, Before: viewPredicted(d.Before), After: viewPredicted(d.After)})
		}
		v.Result.Comparison = c
	}
	for _, r := range j.Set.Rules {
		for _, n := range res.Near[r.ID] {
			v.Result.NearMisses = append(v.Result.NearMisses, viewNear(r, n))
		}
	}
	return v
}

func viewPredicted(v *incident.View) *api.BacktestIncident {
	if v == nil {
		return nil
	}
	return &api.BacktestIncident{
		Rule: v.Rule.ID, Title: v.Title, Severity: v.Severity, Key: v.Key, FirstEvent: v.FirstEvent, LastEvent: v.LastEvent, EventCount: v.EventCount,
	}
}
