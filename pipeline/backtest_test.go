// SPDX-License-Identifier: Apache-2.0

package pipeline_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"tocsin/event"
	"tocsin/incident"
	"tocsin/ingest"
	"tocsin/pipeline"
	"tocsin/rules"
	"tocsin/stream"
)

const backtested = `rule: guess
title: Guessed
severity: high
match: {failed: raw.ok == false, worked: raw.ok == true}
when: sequence(repeat(failed, 3), worked)
by: [user.name]
within: 1m
---
rule: never
title: Never in
severity: low
match: {failed: raw.ok == false, worked: raw.ok == true}
when: failed and not worked
by: [user.name]
within: 10s
---
rule: any
title: Seen
severity: low
match: user.name == "u0"
by: [user.name]
`

func compiled(t *testing.T) *rules.Set {
	t.Helper()
	set, err := rules.Compile([]rules.File{{Name: "r.yml", Data: []byte(backtested)}})
	if err != nil {
		t.Fatal(err)
	}
	return set
}

// logins is a log of logins, a second apart, of which a few arrive together.
func logins(users []int, works []bool) *kept {
	k := &kept{}
	for i := range users {
		at := int64(i+1) * int64(time.Second)
		raw := fmt.Appendf(nil, `{"timestamp":%q,"user.name":"u%d","ok":%t}`, time.Unix(0, at).UTC().Format(time.RFC3339Nano), users[i], works[i])
		rec := event.Record{Input: "in", Source: "app", Raw: raw}
		if i%3 == 0 || len(k.msgs) == 0 {
			k.msgs = append(k.msgs, stream.Taken{Seq: 10 + uint64(len(k.msgs)), Time: at + int64(5*time.Second)})
		}
		last := &k.msgs[len(k.msgs)-1]
		last.Records = append(last.Records, rec)
	}
	return k
}

// ended waits until a job has ended.
func ended(t *testing.T, b *pipeline.Backtests, id string) pipeline.BacktestJob {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); ; {
		j, err := b.Job(id)
		if err != nil {
			t.Fatal(err)
		}
		switch j.State {
		case pipeline.BacktestDone, pipeline.BacktestFailed, pipeline.BacktestCancelled:
			return j
		}
		if time.Now().After(end) {
			t.Fatalf("the job is still %s", j.State)
		}
		time.Sleep(time.Millisecond)
	}
}

// running runs backtests for the length of a test.
func running(t *testing.T, k *kept) *pipeline.Backtests {
	t.Helper()
	b := pipeline.NewBacktests(k, ingest.NewParser(ingest.ParserConfig{}), time.Minute)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- b.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return b
}

// TestABacktestIsAReplay: the same rules and events make the same incidents.
func TestABacktestIsAReplay(t *testing.T) {
	t.Parallel()
	set := compiled(t)
	parser := ingest.NewParser(ingest.ParserConfig{})
	k := &kept{}
	b := running(t, k)
	rapid.Check(t, func(r *rapid.T) {
		n := rapid.IntRange(0, 40).Draw(r, "logins")
		*k = *logins(rapid.SliceOfN(rapid.IntRange(0, 2), n, n).Draw(r, "users"), rapid.SliceOfN(rapid.Bool(), n, n).Draw(r, "work"))
		replay := pipeline.NewReplay(set, parser, time.Minute)
		for _, m := range k.msgs {
			for _, rec := range m.Records {
				e, err := parser.Parse(rec, m.Time)
				if err != nil {
					r.Fatal(err)
				}
				replay.AddEvent(e)
			}
		}
		want, err := replay.Run(0, 0)
		if err != nil {
			r.Fatal(err)
		}
		started, err := b.Start(set, nil, 0, 0)
		if err != nil {
			r.Fatal(err)
		}
		j := ended(t, b, started.ID)
		if j.State != pipeline.BacktestDone || j.Searched != int64(n) || j.Done != j.Of || j.Done != int64(len(k.msgs)) {
			r.Fatalf("%+v", j)
		}
		for i := range want.Incidents {
			want.Incidents[i].Detections = nil // their ids and what they are is in the incident's id
		}
		if len(want.Incidents)+j.Result.Total > 0 {
			if diff := cmp.Diff(want.Incidents, j.Result.Incidents); diff != "" {
				r.Fatal(diff)
			}
		}
		days := int64(0)
		for _, n := range j.Result.Days {
			days += n
		}
		if days != j.Matched {
			r.Fatalf("%d matches on their days, %d in all", days, j.Matched)
		}
	})
}

// TestNearMissesOfABacktest: a key that came part-way is told of, one for which the rule fires is an incident (and u2, who never came in, one
// of another rule).
func TestNearMissesOfABacktest(t *testing.T) {
	t.Parallel()
	k := logins([]int{1, 1, 1, 1, 2, 2}, []bool{false, false, false, true, false, false})
	b := running(t, k)
	started, err := b.Start(compiled(t), nil, 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	j := ended(t, b, started.ID)
	near := j.Result.Near["guess"]
	if len(j.Result.Incidents) != 2 || len(near) != 1 || near[0].Key.Values()[0] != "u2" || near[0].Done {
		t.Errorf("%d incidents, near misses %+v", len(j.Result.Incidents), near)
	}
	s := pipeline.NewSearcher(k, ingest.NewParser(ingest.ParserConfig{}))
	set := compiled(t)
	for i := range k.msgs { // as if it were now
		k.msgs[i].Time = time.Now().UnixNano()
	}
	found, err := s.Near(t.Context(), set, set.ByID("guess"), nil, time.Minute)
	if err != nil || !found.Complete || found.Keys != 2 || !found.Near[0].Done || found.Near[1].Done || found.Near[1].Key.Values()[0] != "u2" {
		t.Errorf("%+v, %v", found, err)
	}
	if found, err = s.Near(t.Context(), set, set.ByID("guess"), incident.Scope{{Cluster: "prod", Namespace: "shop"}}, time.Minute); err != nil || found.Keys != 0 {
		t.Errorf("out of scope: %+v, %v", found, err)
	}
}

// TestABacktestComparesWithWhatIsInForce: what the change adds, what it takes away, what is another, and what stays.
func TestABacktestComparesWithWhatIsInForce(t *testing.T) {
	t.Parallel()
	k := logins([]int{1, 1, 1, 1, 2, 2, 2, 0}, []bool{false, false, false, true, false, false, true, true})
	b := running(t, k)
	inForce := compiled(t)
	text := strings.Replace(backtested, "repeat(failed, 3)", "repeat(failed, 2)", 1)
	text = strings.Replace(text, `user.name == "u0"`, `user.name == "u2"`, 1)
	changed, err := rules.Compile([]rules.File{{Name: "r.yml", Data: []byte(text)}})
	if err != nil {
		t.Fatal(err)
	}
	compare := func(base *rules.Set) (map[string]int, []string) {
		started, err := b.Start(changed, base, 0, 0)
		if err != nil {
			t.Fatal(err)
		}
		res := ended(t, b, started.ID).Result
		var all []string
		for _, d := range res.Differences {
			v := d.After
			if v == nil {
				v = d.Before
			}
			if v.Detections != nil {
				t.Error("a job that has ended remembers detections")
			}
			all = append(all, fmt.Sprint(d.Change, " ", v.Rule.ID, " ", v.Key["user.name"]))
		}
		return res.Changes, all
	}
	counts, all := compare(inForce)
	want := []string{"changed guess u1", "added any u2", "added guess u2", "removed any u0"}
	slices.Sort(all)
	slices.Sort(want)
	if diff := cmp.Diff(want, all) + cmp.Diff(map[string]int{"same": 0, "added": 2, "removed": 1, "changed": 1}, counts); diff != "" {
		t.Error(diff)
	}
	if counts, all := compare(changed); counts["same"] == 0 || len(all) != 0 {
		t.Errorf("with itself: %v %v", counts, all)
	}
	if counts, all := compare(inForce.Only()); counts["added"] != len(all) || counts["added"] == 0 || counts["same"]+counts["removed"] != 0 {
		t.Errorf("with nothing: %v %v", counts, all)
	}
	started, err := b.Start(changed, nil, 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	if res := ended(t, b, started.ID).Result; res.Changes != nil || res.Differences != nil {
		t.Errorf("nobody asked: %+v", res)
	}
}

// TestBacktestsAreBounded: one runs, four wait, and each can be cancelled.
func TestBacktestsAreBounded(t *testing.T) {
	t.Parallel()
	k := logins([]int{1}, []bool{true})
	k.wait, k.read = make(chan struct{}), make(chan struct{})
	b := running(t, k)
	set := compiled(t)
	var ids []string
	start := func() error {
		j, err := b.Start(set, nil, 0, 0)
		if err == nil {
			ids = append(ids, j.ID)
		}
		return err
	}
	if err := start(); err != nil {
		t.Fatal(err)
	}
	<-k.read // it runs
	for range 4 {
		if err := start(); err != nil {
			t.Fatal(err)
		}
	}
	if err := start(); !errors.Is(err, pipeline.ErrBusy) {
		t.Errorf("a sixth: %v", err)
	}
	if err := b.Cancel(ids[2]); err != nil {
		t.Error(err)
	}
	if err := start(); err != nil {
		t.Errorf("one that waited is cancelled, and its place is not free: %v", err)
	}
	for _, id := range ids {
		if err := b.Cancel(id); err != nil {
			t.Error(err)
		}
	}
	close(k.wait)
	for _, id := range ids {
		if j := ended(t, b, id); j.State != pipeline.BacktestCancelled || j.Result != nil {
			t.Errorf("a job that was cancelled is %+v", j)
		}
	}
	if err := b.Cancel("none"); !errors.Is(err, incident.ErrNotFound) {
		t.Errorf("of none: %v", err)
	}
	if err := start(); err != nil {
		t.Errorf("after them: %v", err)
	}
	if j := ended(t, b, ids[len(ids)-1]); j.State != pipeline.BacktestDone {
		t.Errorf("after them one is %+v", j)
	}
}
