// SPDX-License-Identifier: Apache-2.0

package alert

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"
)

// InhibitRule holds back the incidents that match its targets while one is open that matches its sources and has a value in common with
// it in each label of Equal; a label that neither has is equal, too.
type InhibitRule struct {
	SourceMatchers []string `yaml:"source_matchers"`
	TargetMatchers []string `yaml:"target_matchers"`
	Equal          []string `yaml:"equal"`
}

type inhibition struct {
	source, target Matchers
	equal          []string
}

func (r InhibitRule) read(at string) (inhibition, error) {
	var out inhibition
	var err error
	if len(r.SourceMatchers) == 0 {
		return out, wrong(at+".source_matchers", "which incidents hold others back")
	}
	if len(r.TargetMatchers) == 0 {
		return out, wrong(at+".target_matchers", "which incidents are held back")
	}
	if out.source, err = ParseMatchers(r.SourceMatchers); err != nil {
		return out, wrong(at+".source_matchers", "%w", err)
	}
	if out.target, err = ParseMatchers(r.TargetMatchers); err != nil {
		return out, wrong(at+".target_matchers", "%w", err)
	}
	for i, name := range r.Equal {
		if !slices.Contains(labelNames(), name) {
			return out, wrong(fmt.Sprintf("%s.equal[%d]", at, i), "there is no label %q: they are %v", name, labelNames())
		}
	}
	out.equal = r.Equal
	return out, nil
}

// by reports whether a source holds a target back.
func (x inhibition) by(source, target LabelSet) bool {
	// Of two that match both sides neither holds the other back: else nobody hears of either.
	if !x.source.Matches(source) || x.target.Matches(source) && x.source.Matches(target) {
		return false
	}
	for _, name := range x.equal {
		a, b := source[name], target[name]
		if len(a) == 0 && len(b) == 0 {
			continue
		}
		if !slices.ContainsFunc(a, func(v string) bool { return slices.Contains(b, v) }) {
			return false
		}
	}
	return true
}

// HeldBackBy is what an alert is silenced by that an incident holds back, before that one's id: the outbox looks at it again when that is over.
const HeldBackBy = "incident "

// Bounds of inhibition: how many open incidents are looked at, and how old what is known of them may be.
const (
	maxOpen = 1000
	openFor = wakeEach
)

// openIncidents are the labels of the open incidents that may hold others back, as they were a moment ago.
type openIncidents struct {
	mu      sync.Mutex
	at      time.Time
	sources []LabelSet
}

// inhibits returns the id of an open incident that holds the one with these labels back, "" if none does. What it knows is not older than
// the alert: an incident that was open when that was made is seen. Both times are of this process's clock: the store's may be another.
func (d *Deliverer) inhibits(ctx context.Context, target LabelSet, made time.Time) (string, error) {
	rules := slices.DeleteFunc(slices.Clone(d.inhibitions), func(x inhibition) bool { return !x.target.Matches(target) })
	if len(rules) == 0 {
		return "", nil
	}
	d.open.mu.Lock()
	defer d.open.mu.Unlock()
	if now := time.Now(); now.Sub(d.open.at) > openFor || !d.open.at.After(made) {
		views, err := d.outbox.Open(ctx, maxOpen)
		if err != nil {
			return "", err
		}
		d.open.at, d.open.sources = now, nil
		for _, v := range views {
			l := LabelsOf(v)
			if slices.ContainsFunc(d.inhibitions, func(x inhibition) bool { return x.source.Matches(l) }) {
				d.open.sources = append(d.open.sources, l)
			}
		}
	}
	for _, x := range rules {
		for _, source := range d.open.sources {
			if !slices.Equal(source["incident"], target["incident"]) && x.by(source, target) {
				return source["incident"][0], nil
			}
		}
	}
	return "", nil
}
