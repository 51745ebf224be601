// SPDX-License-Identifier: Apache-2.0

package vectorgrpc

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"

	"tocsin/event"
	"tocsin/ingest"
	"tocsin/ingest/audit"
)

// records makes Records of a PushEventsRequest, and quarantines what is none. The error says that nothing can be
// made of the message.
func (s *service) records(input string, message []byte) ([]event.Record, []ingest.Quarantined, error) {
	events, rest, err := split(message)
	if err != nil && len(events) == 0 {
		return nil, nil, fmt.Errorf("%w: %w", errNothing, err)
	}
	var bad []ingest.Quarantined
	quarantine := func(raw []byte, reason string, err error) {
		if audit.Mentions(raw) {
			raw = audit.Withhold(raw) // it is no JSON: nobody knows which part of it is a secret
		}
		rec := event.Record{Input: input, Source: source, Raw: raw}
		bad = append(bad, ingest.Quarantined{Record: rec, Reason: reason, Detail: err.Error()})
	}
	records := make([]event.Record, 0, len(events))
	equal := make(map[[32]byte]uint32, len(events))
	for _, wrapper := range events {
		raw, err := guarded(record, wrapper)
		if r, refused := errors.AsType[*refusal](err); refused {
			var kept []byte // nothing if this panics: nobody knows which part of it is a secret
			_ = event.Guard(func() { kept = withoutMetadata(wrapper) })
			quarantine(kept, r.reason, r.err)
			continue
		}
		rec := event.Record{Input: input, Source: source, Raw: raw}
		sum := sha256.Sum256(raw)
		rec.Ordinal = equal[sum]
		equal[sum]++
		records = append(records, rec)
	}
	if err != nil {
		quarantine(rest, "malformed_protobuf", err)
	}
	return records, bad, nil
}

// guarded reads a wrapper without what nobody may read; a panic is a refusal of it, and not of the process, which Vector would send it again.
func guarded(read func(wrapper []byte) ([]byte, error), wrapper []byte) (raw []byte, err error) {
	if bug := event.Guard(func() {
		if raw, err = read(wrapper); err == nil {
			raw = audit.Redact(raw)
		}
	}); bug != nil {
		return nil, &refusal{ingest.Panicked, bug}
	}
	return raw, err
}

// store returns when all is on disk: first what is bad, so that OK never means that something is nowhere.
func (s *service) store(ctx context.Context, records []event.Record, bad []ingest.Quarantined) error {
	if len(bad) > 0 {
		if err := s.cfg.Quarantine(ctx, bad); err != nil {
			return fmt.Errorf("quarantine: %w", err)
		}
	}
	if len(records) == 0 {
		return nil
	}
	return s.cfg.Commit(ctx, records)
}

func (s *service) count(accepted int, bad []ingest.Quarantined) {
	if s.cfg.Records == nil {
		return
	}
	s.cfg.Records.WithLabelValues(source, "accepted").Add(float64(accepted))
	for _, b := range bad {
		s.cfg.Records.WithLabelValues(source, "quarantined_"+b.Reason).Inc()
	}
}
