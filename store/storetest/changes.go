// SPDX-License-Identifier: Apache-2.0

package storetest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tocsin/incident"
)

// patience is how long a change may take to be told.
const patience = 30 * time.Second

// readOn reads pages of changes after a mark, which it moves, until there are so many: what others in the same database have under way holds
// them back for a moment.
func readOn[T any](t *testing.T, mark *string, limit, want int, page func(context.Context, string, int) ([]T, error), markOf func(T) string) (all []T) {
	t.Helper()
	for end := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		got, err := page(t.Context(), *mark, limit)
		if err != nil || len(got) > limit {
			t.Fatalf("%d changes, %v", len(got), err)
		}
		for _, c := range got {
			*mark = markOf(c)
		}
		if all = append(all, got...); len(all) >= want || time.Now().After(end) {
			return all
		}
	}
}

func changes(t *testing.T, k Kind) {
	s := own(t, k)
	mark, err := s.LastChange(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	first := mark
	next := func(limit int, want ...int) {
		t.Helper()
		var ids, wanted []string
		for _, n := range want {
			wanted = append(wanted, id(anIncident, n))
		}
		for _, c := range readOn(t, &mark, limit, len(want), s.Changed, func(c incident.Changed) string { return c.Mark }) {
			ids = append(ids, c.ID)
		}
		if !slices.Equal(ids, wanted) {
			t.Fatalf("changed are %v, want %v", ids, wanted)
		}
	}
	next(10)
	r := aRule("login")
	s.put(anOpen(r, 1))
	s.put(anOpen(r, 2), anOpen(r, 3)) // in one transaction
	next(2, 1, 2, 3)
	next(2)
	busy := incident.InProgress
	if _, err := s.SetWork(t.Context(), id(anIncident, 1), incident.Work{Status: &busy}); err != nil {
		t.Fatal(err)
	}
	next(2, 1)
	if last, err := s.LastChange(t.Context()); err != nil || last != mark {
		t.Errorf("the last change is %s, %v, want %s", last, err, mark)
	}
	mark = first
	next(10, 2, 3, 1)
	for bad, want := range map[string]error{
		"": incident.ErrBadCursor, "x.": incident.ErrBadCursor, "1": incident.ErrBadCursor, "1.00": incident.ErrBadCursor, "-1.": incident.ErrBadCursor,
		"9223372036854775806.": incident.ErrUnknownMark,
	} {
		if _, err := s.Changed(t.Context(), bad, 1); !is(err, want) {
			t.Errorf("after %q: %v, want %v", bad, err, want)
		}
	}
	page, _, err := s.Incidents(t.Context(), incident.Filter{IDs: []string{id(anIncident, 3), "x", id(anIncident, 9)}})
	if err != nil || len(page) != 1 || page[0].ID != id(anIncident, 3) {
		t.Errorf("by id: %v %v", page, err)
	}
}

// changesOfParts: who shows the whole has to know that a part of it was written, by however many steps it was joined into it.
func changesOfParts(t *testing.T, k Kind) {
	s := own(t, k)
	r := aRule("r")
	ins := []incident.Incident{anOpen(r, 0), anOpen(r, 1), anOpen(r, 2), anOpen(r, 3)}
	s.put(ins...)
	s.merge(ins[1].ID, ins[0].ID)
	ins[2].MergedInto, ins[2].Revision = ins[1].ID, 2 // by the engine, into what people merged
	s.put(ins[2])
	mark, err := s.LastChange(t.Context())
	for end := time.Now().Add(patience); err == nil && !strings.HasSuffix(mark, ins[2].ID) && time.Now().Before(end); {
		time.Sleep(time.Millisecond)
		mark, err = s.LastChange(t.Context())
	}
	if err != nil {
		t.Fatal(err)
	}
	ins[1].Revision, ins[2].Revision, ins[3].Revision = 2, 3, 2
	s.put(ins[1])
	s.put(ins[2])
	s.put(ins[3])
	got := map[string]string{}
	for end := time.Now().Add(patience); len(got) < 3 && time.Now().Before(end); time.Sleep(time.Millisecond) {
		page, err := s.Changed(t.Context(), mark, 2)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range page {
			got[c.ID], mark = c.Whole, c.Mark
		}
	}
	want := map[string]string{ins[1].ID: ins[0].ID, ins[2].ID: ins[0].ID, ins[3].ID: ""}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// changesOfMany: writers at once, of which one that began first may end last; who reads meanwhile sees the last of each.
func changesOfMany(t *testing.T, k Kind) {
	const writers, each = 6, 15
	s := own(t, k)
	r := aRule("login")
	var all []incident.Incident
	for n := range writers {
		all = append(all, anOpen(r, n))
	}
	s.put(all...)
	mark := "0."
	seen := make(map[string]string)
	read := func() {
		for {
			got, err := s.Changed(t.Context(), mark, 4)
			if err != nil {
				t.Error(err)
				return
			}
			if len(got) == 0 {
				return
			}
			for _, c := range got {
				v, err := s.Incident(t.Context(), c.ID)
				if err != nil {
					t.Error(err)
					return
				}
				mark = c.Mark
				if v.Assignee != nil {
					seen[c.ID] = *v.Assignee
				}
			}
		}
	}
	var wg sync.WaitGroup
	for n := range writers {
		wg.Go(func() {
			for i := range each {
				who := fmt.Sprint("w", i)
				if _, err := s.SetWork(t.Context(), id(anIncident, n), incident.Work{Assignee: &who}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	readWhile(&wg, read)
	// What others in the same database have under way holds the last of ours back, no longer than it lasts.
	end := time.Now().Add(patience)
	for until := fmt.Sprint("w", each-1); ; read() {
		left := 0
		for n := range writers {
			if seen[id(anIncident, n)] != until {
				left++
			}
		}
		if left == 0 || t.Failed() {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("of %d incidents the last state never came: %v", left, seen)
		}
	}
}

// readWhile reads again and again while others write, and once after the last of them.
func readWhile(writers *sync.WaitGroup, read func()) {
	done := make(chan struct{})
	go func() { writers.Wait(); close(done) }()
	for ended := false; !ended; {
		select {
		case <-done:
			ended = true
		default:
		}
		read()
	}
}
