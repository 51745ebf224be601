// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"sort"

	"tocsin/incident"
	"tocsin/test/judge"
)

// stored is what is in the store.
type stored struct {
	all   map[string]incident.View
	stand []incident.View // those that are neither merged nor retracted, with all their detections
}

func (w *world) stored(ctx context.Context) (*stored, error) {
	stand, all, err := judge.Stored(ctx, w.storeURL(w.pgAt))
	return &stored{all, stand}, err
}

// lines prints the incidents that stand, but for those of some rules.
func (s *stored) lines(but map[string]bool) []string {
	var out []string
	for _, v := range s.stand {
		if !but[v.Rule.ID] {
			out = append(out, lineOf(v))
		}
	}
	sort.Strings(out)
	return out
}

// final returns the incident that one has become.
func (s *stored) final(id string) incident.View {
	v := s.all[id]
	for v.MergedInto != nil {
		v = s.all[*v.MergedInto]
	}
	return v
}

// closed reports whether all of these incidents are closed, or became part of one that is.
func (s *stored) closed(ids []string) error {
	for _, id := range ids {
		v := s.all[id]
		for v.Status != incident.Closed && v.MergedInto != nil {
			v = s.all[*v.MergedInto]
		}
		if v.Status != incident.Closed {
			return fmt.Errorf("incident %s was closed, and %q is %q", id, v.ID, v.Status)
		}
	}
	return nil
}
