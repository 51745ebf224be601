// SPDX-License-Identifier: Apache-2.0

package stream_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"golang.org/x/sync/errgroup"

	"tocsin/event"
	"tocsin/stream"
	"tocsin/stream/natstest"
)

// TestEveryRightIsNeeded: with the rights that docs/nats.md gives a user all that Tocsin does goes well; without one of them it does
// not, and the subject is named.
func TestEveryRightIsNeeded(t *testing.T) {
	publish, subscribe := rights(t, wholeUser)
	if len(publish) < 20 || len(subscribe) != 1 {
		t.Fatalf("docs/nats.md has %d subjects to publish to and %d to subscribe to", len(publish), len(subscribe))
	}
	accounts := make(map[string]any) // one for each right, so that none finds what another made
	missing := map[string]string{"all": ""}
	accounts["all"] = account("all", publish, subscribe)
	for i, right := range publish {
		rest := append(append([]any{}, publish[:i]...), publish[i+1:]...)
		name := fmt.Sprintf("without%d", i)
		accounts[name] = account(name, rest, subscribe)
		missing[name] = right.(string)
	}
	accounts["mute"] = account("mute", publish, []any{"_INBOX.others.>"})
	missing["mute"] = subscribe[0].(string)
	c := natstest.Start(t, 3, func(o *server.Options) {
		permit(t, o, accounts)
		o.JetStreamMaxStore, o.SyncAlways = 20<<30, false // nothing here outlives its server
	})
	for name, right := range missing {
		t.Run(strings.ReplaceAll(name+" "+right, "/", "_"), func(t *testing.T) {
			t.Parallel()
			replicas, n := 1, 1
			switch {
			case strings.Contains(right, "$JS.FC"), right == "":
				n = 12_000 // after a megabyte of their headers a server asks whether it may go on
			case strings.Contains(right, "MSG.GET"):
				replicas = 3 // what one server keeps is read otherwise
			case right == "$JS.API.CONSUMER.INFO.MATCHES.*":
				t.Skip("asked only by a reader that hears nothing from a server that was restarted: TestReaderAfterARestart")
			}
			refused, err := useAll(t, strings.ReplaceAll(c.URL(), "nats://", "nats://"+name+":secret@"), replicas, n)
			if right == "" {
				if err != nil || len(refused) > 0 {
					t.Errorf("%v, refused %v", err, refused)
				}
				return
			}
			if len(refused) == 0 {
				t.Fatalf("nothing is refused (%v): docs/nats.md gives more than is needed", err)
			}
			for _, r := range refused {
				if !covers(right, r.Subject) || !strings.Contains(r.Error(), `"`+r.Subject+`"`) {
					t.Errorf("without %s: %v", right, r)
				}
			}
		})
	}
}

// covers reports whether a subject is one of those that a right is for.
func covers(right, subject string) bool {
	expr := strings.NewReplacer(`\*`, `[^.]+`, `\.>`, `\..+`, `>`, `.+`).Replace(regexp.QuoteMeta(right))
	return regexp.MustCompile("^" + expr + "$").MatchString(subject)
}

// useAll does once what Tocsin does, until something is refused.
func useAll(t *testing.T, url string, replicas, n int) (refused []*stream.RefusedError, err error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	told := make(chan *stream.RefusedError, 1000)
	nc, err := stream.Connect(stream.ServerConfig{URL: url, Refused: func(r *stream.RefusedError) {
		told <- r
		cancel() // else what was refused waits for its answer
	}})
	if err != nil {
		t.Fatal(err)
	}
	cfg := small()
	cfg.Replicas, cfg.Events.Age, cfg.Matches.Age = replicas, 1, 1 // all is old enough to go
	s, err := stream.Open(ctx, nc, cfg)
	if err == nil {
		s, err = stream.Open(ctx, nc, cfg) // as one that comes later
	}
	for _, use := range []func(context.Context, *stream.Streams) error{keys(n), sets, write, readEvents, readMatches, look, trim} {
		if err == nil {
			err = use(ctx, s)
		}
	}
	// An acknowledgement has no answer: what is said of it comes before that of a ping.
	err = errors.Join(err, nc.FlushTimeout(10*time.Second))
	nc.Close()
	for {
		select {
		case r := <-told:
			refused = append(refused, r)
		default:
			return refused, err
		}
	}
}

func keys(n int) func(context.Context, *stream.Streams) error {
	return func(ctx context.Context, s *stream.Streams) error {
		kv, err := s.KV(ctx, "tocsin-kyverno", "what was told")
		if err != nil {
			return err
		}
		revision, err := kv.Put(ctx, "a", []byte("v"), 0)
		if err != nil {
			return err
		}
		var g errgroup.Group
		g.SetLimit(64)
		for i := range n - 1 {
			g.Go(func() error {
				_, err := kv.Put(ctx, strconv.Itoa(i), []byte("v"), 0)
				return err
			})
		}
		if err := g.Wait(); err != nil {
			return err
		}
		if _, _, err := kv.Get(ctx, "a"); err != nil {
			return err
		}
		if got, err := kv.Keys(ctx); err != nil || len(got) != n {
			return fmt.Errorf("%d keys of %d: %w", len(got), n, err)
		}
		return kv.Delete(ctx, "a", revision)
	}
}

func sets(ctx context.Context, s *stream.Streams) error {
	if err := s.PutSet(ctx, "hash", []byte("rules")); err != nil {
		return err
	}
	if _, err := s.Set(ctx, "hash"); err != nil {
		return err
	}
	_, err := s.NameSet(ctx, "hash")
	return err
}

func write(ctx context.Context, s *stream.Streams) error {
	if err := s.PublishMarker(ctx, stream.Stamp{Set: "hash"}); err != nil {
		return err
	}
	if err := s.PublishMatches(ctx, []stream.MatchMsg{{Partition: 0, ID: "m", Data: []byte("match")}}); err != nil {
		return err
	}
	return s.Quarantine(ctx, []stream.Quarantined{{Record: record(1), Reason: "odd"}})
}

func readEvents(ctx context.Context, s *stream.Streams) error {
	cons, err := s.Events(ctx)
	if err != nil {
		return err
	}
	defer cons.Close()
	msgs, err := cons.Next(ctx, 1)
	if err != nil {
		return err
	}
	if err := msgs[0].Ack(); err != nil {
		return err
	}
	if _, _, err := s.Record(ctx, msgs[0].Seq, 0); err != nil {
		return err
	}
	if _, err := s.AckFloor(ctx); err != nil {
		return err
	}
	return tail(ctx, s)
}

// tail follows what comes until something has.
func tail(ctx context.Context, s *stream.Streams) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	tailed, came := make(chan error, 1), errors.New("a record came")
	go func() {
		tailed <- s.Tail(ctx, func(event.Record, int64) error { return came })
	}()
	c := stream.NewCommitter(s, 1, func() stream.Stamp { return stream.Stamp{Set: "hash"} })
	defer c.Close()
	for i := 0; ; i++ {
		if err := c.Commit(ctx, []event.Record{record(i)}); err != nil {
			return err
		}
		select {
		case err := <-tailed:
			if errors.Is(err, came) {
				return nil
			}
			return err
		default:
		}
	}
}

func readMatches(ctx context.Context, s *stream.Streams) error {
	r, err := s.Partition(ctx, 0, 1)
	if err != nil {
		return err
	}
	defer r.Close()
	_, err = r.Next(ctx, 1)
	return err
}

func look(ctx context.Context, s *stream.Streams) error {
	if err := s.Ping(ctx); err != nil {
		return err
	}
	if _, err := s.LastSeqs(ctx); err != nil {
		return err
	}
	_, err := s.QuarantineList(ctx, 1)
	return err
}

func trim(ctx context.Context, s *stream.Streams) error {
	all := func(context.Context) (uint64, error) { return math.MaxUint64 - 1, nil }
	if err := s.TrimEvents(ctx, all); err != nil {
		return err
	}
	return s.TrimMatches(ctx, all)
}
