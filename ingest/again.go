// SPDX-License-Identifier: Apache-2.0

package ingest

import (
	"crypto/sha256"
	"errors"
	"fmt"

	"tocsin/event"
)

// Again reads what was quarantined as it would be read if it came now: it returns its Records, of which each can be parsed. rec is
// what was quarantined, whose Ordinal is that of its only Record; arrival is when it came. The error says why it is no better
// than it was, a [*Malformed] where a part of it is not, or where its sender may not claim what it says.
func (p *Parser) Again(rec event.Record, reason string, arrival int64) ([]event.Record, error) {
	switch reason {
	case "damaged_compression":
		return nil, &Malformed{reason, errors.New("the body was kept as it came, compressed and damaged")}
	case "match_too_large", "rule_panic":
		return nil, &Malformed{reason, errors.New("the event was taken in when it came: one rule alone left it out")}
	}
	split := Split
	if isAudit(rec.Source) {
		split = splitAudit
	}
	raws, bad := split(rec.Raw)
	if len(bad) > 0 {
		return nil, &Malformed{bad[0].Reason, bad[0].Err}
	}
	if len(raws) == 0 {
		return nil, &Malformed{"empty", errors.New("there is no record in it")}
	}
	out := make([]event.Record, len(raws))
	equal := make(map[[32]byte]uint32)
	for i, raw := range raws {
		out[i] = rec
		out[i].Raw = raw
		if len(raws) > 1 {
			sum := sha256.Sum256(raw)
			out[i].Ordinal = equal[sum]
			equal[sum]++
		}
		e, err := p.Parse(out[i], arrival)
		if err == nil {
			err = p.cfg.Claims.check(rec, e, reason)
		}
		if err != nil {
			if len(raws) > 1 {
				err = fmt.Errorf("record %d: %w", i+1, err)
			}
			return nil, err
		}
	}
	return out, nil
}
