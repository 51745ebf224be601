// SPDX-License-Identifier: Apache-2.0

// Package judge compares what Tocsin found with what it should have found.
package judge

import (
	"context"
	"fmt"
	"sort"
	"strings"
	"time"

	"tocsin/incident"
	"tocsin/ingest"
	"tocsin/pipeline"
	"tocsin/rules"
	"tocsin/store/open"
)

// Line prints what of an incident must not depend on how it came to be (I6).
func Line(v incident.View) string {
	var ds []string
	for _, d := range v.Detections {
		var ev []string
		for _, e := range d.Evidence {
			ev = append(ev, e.Step+"="+e.EventID)
		}
		sort.Strings(ev)
		ds = append(ds, fmt.Sprintf("%v %s %s %d %v %v", d.Key, d.FirstEvent, d.LastEvent, d.EventCount, d.Steps, ev))
	}
	sort.Strings(ds)
	return fmt.Sprintf("%s %v %s %s %s %d\n  %s", v.Rule.ID, v.Key, v.Severity, v.FirstEvent, v.LastEvent, v.EventCount, strings.Join(ds, "\n  "))
}

// Replayed returns the lines of what replay makes of records of a source, sorted.
func Replayed(set *rules.Set, source string, records [][]byte, lateness time.Duration) ([]string, error) {
	play := pipeline.NewReplay(set, ingest.NewParser(ingest.ParserConfig{}), lateness)
	for _, r := range records {
		if err := play.Add(source, r); err != nil {
			return nil, err
		}
	}
	res, err := play.Run(0, 0)
	if err != nil {
		return nil, err
	}
	var out []string
	for _, v := range res.Incidents {
		out = append(out, Line(v))
	}
	sort.Strings(out)
	return out, nil
}

// Stored returns the incidents of a store that stand, with all their detections, and by id all that there are, those that were
// merged or retracted, too.
func Stored(ctx context.Context, url string) (stand []incident.View, all map[string]incident.View, err error) {
	s, err := open.Store(ctx, url)
	if err != nil {
		return nil, nil, err
	}
	defer s.Close()
	all = make(map[string]incident.View)
	f := incident.Filter{Limit: 200, IncludeMerged: true, IncludeRetracted: true}
	for {
		page, next, err := s.Incidents(ctx, f)
		if err != nil {
			return nil, nil, err
		}
		for _, v := range page {
			all[v.ID] = v
			if v.MergedInto != nil || v.Retracted {
				continue
			}
			whole, err := s.Incident(ctx, v.ID)
			if err != nil {
				return nil, nil, err
			}
			all[v.ID] = whole
			stand = append(stand, whole)
		}
		if f.Cursor = next; next == "" {
			return stand, all, nil
		}
	}
}

// Lines returns the lines of incidents, sorted.
func Lines(views []incident.View) []string {
	var out []string
	for _, v := range views {
		out = append(out, Line(v))
	}
	sort.Strings(out)
	return out
}
