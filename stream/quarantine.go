// SPDX-License-Identifier: Apache-2.0

package stream

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nuid"

	"tocsin/event"
)

// Quarantined is a Record that could not be read, and why.
type Quarantined struct {
	Record         event.Record
	Reason, Detail string
	// Of names the message of EVENTS that it came with: what a redelivery of it quarantines again is there once. It is "" of what never
	// got there: a sender that asks again has made another delivery, and equal bytes may be two.
	Of string
}

// QuarantineEntry is how quarantine keeps it.
type QuarantineEntry struct {
	Input  string `json:"input"`
	Source string `json:"source"`
	Reason string `json:"reason"`
	Detail string `json:"detail"`
	Raw    []byte `json:"raw"`
	// Ordinal and Taken are the Record's.
	Ordinal uint32 `json:"ordinal,omitempty"`
	Taken   int64  `json:"taken,omitempty"`
	// Cut is how many bytes there were, if Raw has fewer.
	Cut int `json:"cut,omitempty"`
}

// Quarantine returns when all entries are on disk. What came with one message of EVENTS shares no message with others, whatever round it
// comes in. An entry is cut at the largest message that fits.
func (s *Streams) Quarantine(ctx context.Context, qs []Quarantined) error {
	return quarantine(ctx, s, qs)
}

func quarantine(ctx context.Context, to Intake, qs []Quarantined) error {
	var group []QuarantineEntry
	size, of, part := 0, "", 0
	flush := func() error {
		if len(group) == 0 {
			return nil
		}
		data, err := json.Marshal(group)
		if err != nil {
			return fmt.Errorf("quarantine: %w", err)
		}
		id := nuid.Next()
		if of != "" {
			// Its content, too: another version, or configuration, may find more in the same message.
			id = fmt.Sprintf("q/%s/%d/%x", of, part, sha256.Sum256(data))
			part++
		}
		err = to.publish(ctx, quarantinedSubject, id, pack(packedFormat, data))
		group, size = nil, 0
		return err
	}
	for _, q := range qs {
		raw, cut := q.Record.Raw, 0
		if len(raw) > maxPayload/4 {
			raw, q.Detail, cut = raw[:maxPayload/4], q.Detail+fmt.Sprintf(" (cut from %d bytes)", len(raw)), len(raw)
		}
		if q.Of != of || size+len(raw) > maxPayload/4 {
			if err := flush(); err != nil {
				return err
			}
		}
		if q.Of != of {
			of, part = q.Of, 0
		}
		group = append(group, QuarantineEntry{
			Input: q.Record.Input, Source: q.Record.Source, Reason: q.Reason, Detail: q.Detail, Raw: raw,
			Ordinal: q.Record.Ordinal, Taken: q.Record.Taken, Cut: cut,
		})
		size += len(raw) + 256
	}
	return flush()
}

// Kept is one entry of quarantine: the Index-th of the message Seq, which came at Time (Unix nanoseconds).
type Kept struct {
	Seq   uint64
	Index int
	Time  int64
	QuarantineEntry
}

// quarantineReads bounds how many messages one look at quarantine reads.
const quarantineReads = 500

// Quarantined passes the entries of quarantine to fn, newest first, from those before the Index-th of the message seq on (0: from
// the newest), until fn reports that it has enough. It returns where it ended, which is where to go on: 0 if there are no more.
func (s *Streams) Quarantined(ctx context.Context, seq uint64, index int, fn func(Kept) bool) (uint64, int, error) {
	st, err := s.js.Stream(ctx, quarantineStream)
	if err != nil {
		return 0, 0, fmt.Errorf("stream %s: %w", quarantineStream, err)
	}
	info := st.CachedInfo().State
	if seq == 0 || seq > info.LastSeq {
		seq, index = info.LastSeq+1, 0
	}
	if index == 0 {
		seq, index = seq-1, -1
	}
	for reads := 0; seq >= info.FirstSeq && seq > 0; seq, index = seq-1, -1 {
		if reads++; reads > quarantineReads {
			return seq + 1, 0, nil
		}
		group, err := s.quarantined(ctx, st, seq)
		if err != nil {
			return 0, 0, err
		}
		if index < 0 || index > len(group) {
			index = len(group)
		}
		for i := index - 1; i >= 0; i-- {
			if fn(group[i]) {
				return seq, i, nil
			}
		}
	}
	return 0, 0, nil
}

// quarantined returns the entries of one message, none of one that is no more.
func (s *Streams) quarantined(ctx context.Context, st jetstream.Stream, seq uint64) ([]Kept, error) {
	msg, err := st.GetMsg(ctx, seq)
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("stream %s: %w", quarantineStream, err)
	}
	var group []QuarantineEntry
	data, err := unpack(packedFormat, msg.Data)
	if err == nil {
		err = json.Unmarshal(data, &group)
	}
	if err != nil {
		return nil, fmt.Errorf("stream %s, message %d: %w", quarantineStream, seq, err)
	}
	out := make([]Kept, len(group))
	for i, e := range group {
		out[i] = Kept{seq, i, msg.Time.UnixNano(), e}
	}
	return out, nil
}

// QuarantineEntry returns one entry; ok is false if there is none.
func (s *Streams) QuarantineEntry(ctx context.Context, seq uint64, index int) (k Kept, ok bool, err error) {
	st, err := s.js.Stream(ctx, quarantineStream)
	if err != nil {
		return k, false, fmt.Errorf("stream %s: %w", quarantineStream, err)
	}
	if seq == 0 {
		return k, false, nil
	}
	group, err := s.quarantined(ctx, st, seq)
	if err != nil || index < 0 || index >= len(group) {
		return k, false, err
	}
	return group[index], true, nil
}

// QuarantineList returns the newest entries of quarantine, newest first, at most n.
func (s *Streams) QuarantineList(ctx context.Context, n int) ([]QuarantineEntry, error) {
	var out []QuarantineEntry
	if n < 1 {
		return nil, nil
	}
	_, _, err := s.Quarantined(ctx, 0, 0, func(k Kept) bool {
		out = append(out, k.QuarantineEntry)
		return len(out) == n
	})
	return out, err
}

// Release publishes the Records of an entry of quarantine. An entry that is released again within the time that the server knows
// messages by their ids is not published twice.
func (s *Streams) Release(ctx context.Context, k Kept, stamp Stamp, recs []event.Record) error {
	return s.publish(ctx, recordsSubject, fmt.Sprintf("released/%d.%d", k.Seq, k.Index), EncodeBatch(stamp, recs))
}
