// SPDX-License-Identifier: Apache-2.0

package falcogrpc

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/falcosecurity/client-go/pkg/api/outputs"

	"tocsin/event"
	"tocsin/ingest"
)

// commitAll commits what is read until the queue is closed. Falco keeps no copy: a commit that fails is
// tried again, after the end of ctx for a while still.
func (s *Source) commitAll(ctx context.Context) {
	last := context.WithoutCancel(ctx)
	ends := make(chan struct{})
	stop := context.AfterFunc(ctx, func() { time.AfterFunc(lastCommit, func() { close(ends) }) })
	defer stop()
	for first := range s.queue {
		group := []*outputs.Response{first}
	more:
		for len(group) < atOnce {
			select {
			case r, ok := <-s.queue:
				if !ok {
					break more
				}
				group = append(group, r)
			default:
				break more
			}
		}
		if !s.commit(last, ends, group) {
			s.cfg.Log.Error("alerts of Falco are lost: they could not be committed before the end", "alerts", len(group)+len(s.queue))
			return
		}
	}
}

// commit returns when the alerts are on disk; false if ends comes first.
func (s *Source) commit(ctx context.Context, ends <-chan struct{}, group []*outputs.Response) bool {
	var records []event.Record
	var bad []ingest.Quarantined
	for _, r := range group {
		var raw []byte
		var err error
		reason := "malformed_falco"
		if bug := event.Guard(func() { raw, err = s.record(r) }); bug != nil {
			reason, err = ingest.Panicked, bug
		}
		if err == nil && len(raw) > ingest.MaxRecord {
			reason, err = "too_large", fmt.Errorf("%d bytes, more than %d", len(raw), ingest.MaxRecord)
		}
		if err != nil {
			if raw == nil {
				raw, _ = json.Marshal(r) // for a person to look at
			}
			rec := event.Record{Input: s.cfg.Name, Source: source, Raw: raw}
			bad = append(bad, ingest.Quarantined{Record: rec, Reason: reason, Detail: err.Error()})
			continue
		}
		records = append(records, event.Record{Input: s.cfg.Name, Source: source, Raw: raw})
	}
	try := func(do func(context.Context) error) bool {
		for n := 0; ; n++ {
			once, cancel := context.WithTimeout(ctx, 20*time.Second)
			err := do(once)
			cancel()
			if err == nil {
				return true
			}
			s.cfg.Log.Warn("alerts of Falco wait", "alerts", len(group), "err", err)
			select {
			case <-ends:
				return false
			case <-time.After(min(5*time.Second, 50*time.Millisecond<<min(n, 10))):
			}
		}
	}
	if len(bad) > 0 && !try(func(ctx context.Context) error { return s.cfg.Quarantine(ctx, bad) }) {
		return false
	}
	if len(records) > 0 && !try(func(ctx context.Context) error { return s.cfg.Commit(ctx, records) }) {
		return false
	}
	s.note(func(st *Status) { st.Last, st.Alerts = time.Now(), st.Alerts+int64(len(group)) })
	if s.cfg.Records != nil {
		s.cfg.Records.WithLabelValues(source, "accepted").Add(float64(len(records)))
		for _, b := range bad {
			s.cfg.Records.WithLabelValues(source, "quarantined_"+b.Reason).Inc()
		}
	}
	return true
}
