// SPDX-License-Identifier: Apache-2.0

package kyverno

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"tocsin/event"
)

var errCrash = errors.New("the process died")

// world is what outlives a crash: the kept States and the stream. Its acts fail when the plan says so, before or
// after they had their effect.
type world struct {
	values    map[string][]byte
	revisions map[string]uint64
	clock     uint64
	log       []event.Record
	crash     func() (before, after bool)
}

func newWorld() *world {
	return &world{
		values: make(map[string][]byte), revisions: make(map[string]uint64),
		crash: func() (bool, bool) { return false, false },
	}
}

func (w *world) act(do func() error) error {
	before, after := w.crash()
	if before {
		return errCrash
	}
	if err := do(); err != nil {
		return err
	}
	if after {
		return errCrash
	}
	return nil
}

func (w *world) Get(_ context.Context, key string) ([]byte, uint64, error) {
	return w.values[key], w.revisions[key], nil
}

func (w *world) Put(_ context.Context, key string, value []byte, revision uint64) (uint64, error) {
	err := w.act(func() error {
		if w.revisions[key] != revision {
			return fmt.Errorf("revision %d, not %d", w.revisions[key], revision)
		}
		w.clock++
		w.values[key], w.revisions[key] = value, w.clock
		return nil
	})
	return w.clock, err
}

func (w *world) Delete(_ context.Context, key string, revision uint64) error {
	return w.act(func() error {
		if w.revisions[key] != revision {
			return fmt.Errorf("revision %d, not %d", w.revisions[key], revision)
		}
		delete(w.values, key)
		delete(w.revisions, key)
		return nil
	})
}

func (w *world) Keys(context.Context) ([]string, error) {
	return slices.Sorted(maps.Keys(w.values)), nil
}

func (w *world) commit(_ context.Context, recs []event.Record) error {
	return w.act(func() error { w.log = append(w.log, recs...); return nil })
}

func (w *world) ledger() *Ledger { return &Ledger{Store: w, Commit: w.commit, Input: "kyverno"} }

// parsed makes an Event of its own.
func parsed(r event.Record) (*event.Event, error) {
	e := new(event.Event)
	return e, Parse(e, r, seen)
}

// once parses the log, without what is told again, as "policy: transition of result" in the order of each policy.
func (w *world) once(t interface{ Fatal(...any) }) map[string][]string {
	seenIDs := make(map[event.ID]bool)
	out := make(map[string][]string)
	for _, r := range w.log {
		e, err := parsed(r)
		if err != nil {
			t.Fatal(err)
		}
		if !seenIDs[e.ID] {
			seenIDs[e.ID] = true
			p, _ := e.Get(event.RuleRuleset).(string)
			out[p] = append(out[p], fmt.Sprint(e.Get(event.EventAction), " ", e.Object().Get("result").Any()))
		}
	}
	return out
}

// version is one rewrite of the report: the verdict of each policy that it judges; nil is no report.
type version map[string]string

func (v version) report(at int64, made int) *Report {
	if v == nil {
		return nil
	}
	rep := report()
	rep.Ref.UID = fmt.Sprint("r", made)
	for _, p := range slices.Sorted(maps.Keys(v)) {
		rep.Results = append(rep.Results, result(p, v[p], at))
	}
	return rep
}

// expected works out from a history alone what is to be told, in other words than Step's.
func expected(history []version) map[string][]string {
	out := make(map[string][]string)
	for _, p := range []string{"a", "b", "c"} {
		open := false
		for _, v := range history {
			verdict, judged := v[p]
			bad := verdict == "fail" || verdict == "warn" || verdict == "error"
			switch {
			case bad && !open:
				out[p] = append(out[p], "violation "+verdict)
				open = true
			case open && verdict == "pass":
				out[p] = append(out[p], "resolved pass")
				open = false
			case open && (!judged || verdict == "skip"):
				out[p] = append(out[p], "removed <nil>")
				open = false
			}
		}
	}
	return out
}

// TestAnyHistoryIsToldOnce: any sequence of rewrites, with crashes before and after any act, and rewrites of
// nothing but timestamps wherever the process was dead, tells what the history says: each once, nothing else.
func TestAnyHistoryIsToldOnce(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		verdicts := rapid.MapOfN(rapid.SampledFrom([]string{"a", "b", "c"}), rapid.SampledFrom([]string{"pass", "fail", "warn", "error", "skip"}), 0, 3)
		history := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) version {
			if rapid.IntRange(0, 5).Draw(t, "gone") == 0 {
				return nil
			}
			return verdicts.Draw(t, "verdicts")
		}), 1, 8).Draw(t, "history")
		w := newWorld()
		w.crash = func() (bool, bool) {
			n := rapid.IntRange(0, 7).Draw(t, "crash")
			return n == 0, n == 1
		}
		at, now := t0, seen
		for made, v := range history {
			for made > 0 && history[made-1] != nil {
				made-- // the same report since it was made
			}
			at += rapid.Int64Range(0, 2).Draw(t, "seconds") // two rewrites may share a second
			for tries := 0; ; tries++ {
				now += 1e9
				d := Diff{Cluster: "prod", Seen: now}
				_, err := w.ledger().Settle(t.Context(), "key", d, v.report(at, made))
				if err == nil {
					break
				}
				if !errors.Is(err, errCrash) {
					t.Fatal(err)
				}
				at += rapid.Int64Range(0, 2).Draw(t, "while dead")
				if tries > 20 {
					w.crash = func() (bool, bool) { return false, false }
				}
			}
			if n, err := w.ledger().Settle(t.Context(), "key", Diff{Seen: now}, v.report(at+3600, made)); err == nil && n != 0 {
				t.Fatalf("an hourly rewrite tells %d records", n)
			}
		}
		if d := cmp.Diff(expected(history), w.once(t)); d != "" {
			t.Fatalf("%v (-want +got):\n%s", history, d)
		}
		if history[len(history)-1] == nil && len(w.values) != 0 {
			w.crash = func() (bool, bool) { return false, false }
			if _, err := w.ledger().Settle(t.Context(), "key", Diff{Seen: now}, nil); err != nil || len(w.values) != 0 {
				t.Fatalf("what is kept of a report that is gone: %v, %v", w.values, err)
			}
		}
	})
}

// TestChangedWhileDead: a violation that was told and mended before the process came back is resolved.
func TestChangedWhileDead(t *testing.T) {
	t.Parallel()
	w := newWorld()
	acts := 0
	w.crash = func() (bool, bool) { acts++; return false, acts == 2 } // the commit
	d := Diff{Cluster: "prod", Seen: seen}
	if _, err := w.ledger().Settle(t.Context(), "key", d, version{"a": "fail"}.report(t0, 0)); !errors.Is(err, errCrash) {
		t.Fatal(err)
	}
	if _, err := w.ledger().Settle(t.Context(), "key", d, version{"a": "pass"}.report(t0+60, 0)); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(map[string][]string{"a": {"violation fail", "resolved pass"}}, w.once(t)); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	if len(w.log) != 3 {
		t.Errorf("%d records in the log, want the violation twice", len(w.log))
	}
}

func TestBlockedIsToldOnce(t *testing.T) {
	t.Parallel()
	w := newWorld()
	crashes := 2
	w.crash = func() (bool, bool) { crashes--; return crashes == 0, crashes == 1 }
	obj := map[string]any{
		"kind": "Event", "metadata": map[string]any{"uid": "e-1", "managedFields": []any{}}, "reason": "PolicyViolation",
		"action": "Resource Blocked", "reportingController": "kyverno-admission", "note": "Pod shop/web: [r] fail (blocked); m",
	}
	for _, want := range []bool{false, false, true, true} {
		_, err := w.ledger().SettleBlocked(t.Context(), "key", "prod", obj)
		if (err == nil) != want {
			t.Fatalf("%v, want success %t", err, want)
		}
	}
	if got := w.once(t); len(got) != 1 || len(w.log) != 2 {
		t.Errorf("%d records tell %v", len(w.log), got)
	}
	if _, err := w.ledger().SettleBlocked(t.Context(), "key", "prod", nil); err != nil || len(w.values) != 0 {
		t.Errorf("%v, %v", w.values, err)
	}
}

func TestStateOfTheFutureIsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld()
	w.values["key"], w.revisions["key"] = []byte(`{"format":2}`), 1
	if _, err := w.ledger().Settle(t.Context(), "key", Diff{}, nil); err == nil || len(w.values) != 1 {
		t.Errorf("%v", err)
	}
}

// TestFenceHoldsBack: what the Fence refuses leaves everything as it is, and what nobody changed asks it nothing.
func TestFenceHoldsBack(t *testing.T) {
	t.Parallel()
	w := newWorld()
	d := Diff{Cluster: "prod", Seen: seen}
	ctx := t.Context()
	for _, verdict := range []string{"fail", "pass", "fail"} {
		if _, err := w.ledger().Settle(ctx, "key", d, version{"a": verdict}.report(t0, 0)); err != nil {
			t.Fatal(err)
		}
	}
	blocked := map[string]any{
		"kind": "Event", "metadata": map[string]any{"uid": "e-1"}, "reason": "PolicyViolation",
		"action": "Resource Blocked", "reportingController": "kyverno-admission", "note": "Pod shop/web: [r] fail (blocked); m",
	}
	if _, err := w.ledger().SettleBlocked(ctx, "told", "prod", blocked); err != nil {
		t.Fatal(err)
	}
	stale := errors.New("stale")
	l := w.ledger()
	l.Fence = func(context.Context) error { return stale }
	values, told := maps.Clone(w.values), len(w.log)
	for what, settle := range map[string]func() (int, error){
		"what passed once":          func() (int, error) { return l.Settle(ctx, "key", d, version{"a": "pass"}.report(t0, 0)) },
		"what is gone":              func() (int, error) { return l.Settle(ctx, "key", d, nil) },
		"what nobody knows":         func() (int, error) { return l.Settle(ctx, "other", d, version{"a": "fail"}.report(t0, 0)) },
		"an admission":              func() (int, error) { return l.SettleBlocked(ctx, "other", "prod", blocked) },
		"an admission that is gone": func() (int, error) { return l.SettleBlocked(ctx, "told", "prod", nil) },
	} {
		if n, err := settle(); n != 0 || !errors.Is(err, stale) {
			t.Errorf("%s: %d records, %v", what, n, err)
		}
	}
	if n, err := l.Settle(ctx, "key", d, version{"a": "fail"}.report(t0, 0)); n != 0 || err != nil {
		t.Errorf("what is as it was: %d records, %v", n, err)
	}
	if d := cmp.Diff(values, w.values); d != "" || len(w.log) != told {
		t.Errorf("%d records are told, and (-want +got):\n%s", len(w.log)-told, d)
	}
}
