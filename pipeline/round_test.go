// SPDX-License-Identifier: Apache-2.0

package pipeline

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"tocsin/event"
	"tocsin/ingest"
	"tocsin/stream"
)

// rounds are streams that give a matcher one round of batches, and note what it does; what is full takes nothing.
type rounds struct {
	msgs []stream.EventsMsg
	full string
	did  []string
	done context.CancelFunc
}

func (r *rounds) Next(ctx context.Context, _ int) ([]stream.EventsMsg, error) {
	if msgs := r.msgs; msgs != nil {
		r.msgs = nil
		return msgs, nil
	}
	r.done()
	return nil, ctx.Err()
}

func (r *rounds) puts(where string, what ...string) error {
	if r.full == where {
		return errors.New("full")
	}
	r.did = append(r.did, where+": "+strings.Join(what, ", "))
	return nil
}

func (r *rounds) Quarantine(_ context.Context, qs []stream.Quarantined) error {
	var what []string
	for _, q := range qs {
		what = append(what, fmt.Sprintf("%s of %s, %q", q.Reason, q.Of, q.Record.Raw))
	}
	return r.puts("quarantine", what...)
}

func (r *rounds) PublishMatches(_ context.Context, msgs []stream.MatchMsg) error {
	var what []string
	for _, m := range msgs {
		what = append(what, m.ID)
	}
	return r.puts("matches", what...)
}

func (*rounds) Partitions() int                                   { return 1 }
func (*rounds) PublishMarker(context.Context, stream.Stamp) error { return nil }
func (*rounds) AckFloor(context.Context) (uint64, error)          { return 0, nil }

// settled notes what becomes of one message.
type settled struct {
	r   *rounds
	seq int
}

func (s settled) Ack() error { return s.r.puts(fmt.Sprint("ack ", s.seq)) }
func (s settled) Nak() error { return s.r.puts(fmt.Sprint("nak ", s.seq)) }

// TestWhatARoundCannotRead: what the batches of a round have that cannot be read is in quarantine, in the log's order, before anything
// of the round is acknowledged; and where quarantine or the log takes nothing all of it comes again.
func TestWhatARoundCannotRead(t *testing.T) {
	t.Parallel()
	const (
		kept    = `quarantine: malformed_app of 1, "{1", undecodable_batch of 2, "", malformed_app of 3, "{3", malformed_app of 3, "{4"`
		matched = `matches: m/0/1.2.3/0`
	)
	for full, want := range map[string][]string{
		"":           {kept, matched, "ack 1: ", "ack 2: ", "ack 3: "},
		"quarantine": {"nak 1: ", "nak 2: ", "nak 3: "},
		"matches":    {kept, "nak 1: ", "nak 2: ", "nak 3: "},
	} {
		t.Run(full, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				log := slog.New(slog.DiscardHandler)
				sets, err := NewSets(t.Context(), &setsInMemory{}, oneRule(t, "one"), log)
				if err != nil {
					t.Fatal(err)
				}
				ctx, done := context.WithCancel(t.Context())
				r := &rounds{full: full, done: done}
				for i, raws := range [][]string{{"{1", `{"user.name":"x"}`}, nil, {"{3", "{4"}} {
					m := stream.EventsMsg{Seq: uint64(i + 1), Time: 1, Receipt: settled{r, i + 1}}
					m.Batch.Stamp = sets.Stamp()
					for _, raw := range raws {
						m.Batch.Records = append(m.Batch.Records, event.Record{Source: "app", Raw: []byte(raw)})
					}
					if raws == nil {
						m.Err = errors.New("no batch")
					}
					r.msgs = append(r.msgs, m)
				}
				m := NewMatcher(MatcherConfig{
					Streams: r, Consumer: r, Parser: ingest.NewParser(ingest.ParserConfig{}), Sets: sets,
					Metrics: NewMatchMetrics(prometheus.NewRegistry()), Seen: NewSources(), Log: log,
				})
				if err := m.Run(ctx); err != nil {
					t.Fatal(err)
				}
				if d := cmp.Diff(want, r.did); d != "" {
					t.Errorf("(-want +got):\n%s", d)
				}
			})
		})
	}
}
