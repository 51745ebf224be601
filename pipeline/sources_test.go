// SPDX-License-Identifier: Apache-2.0

package pipeline

import (
	"errors"
	"fmt"
	"math"
	"testing"
	"time"

	"tocsin/event"
)

func TestSources(t *testing.T) {
	t.Parallel()
	s := NewSources()
	minute := int64(time.Minute)
	see := func(host string, at int64) {
		e := &event.Event{Input: "edge", Source: "vector", Time: at - 5, Arrival: at}
		e.Set(event.HostName, host)
		e.Set(event.EventModule, "falco")
		s.saw(e)
	}
	for i := range int64(60) {
		see("node-a", 10*minute+i)
	}
	see("node-b", 10*minute)
	s.Rejected(event.Record{Input: "edge", Source: "vector"}, 10*minute, errors.New("no JSON"))
	s.Failed("prod", "kyverno", errors.New("no answer"))
	list := s.List()
	if len(list) != 4 || list[0].Host != "node-a" || list[0].Source != "falco" || list[0].Records != 60 || list[0].LastEvent != 10*minute+54 {
		t.Fatalf("%+v", list)
	}
	if x := list[3]; x.Errors != 1 || x.Quarantined != 1 || x.LastError != "no JSON" || x.Records != 0 || x.LastSeen != 10*minute {
		t.Errorf("%+v", x)
	}
	if x := list[2]; x.Input != "prod" || x.Errors != 1 || x.Quarantined != 0 || x.LastError != "no answer" || x.LastSeen != 0 {
		t.Errorf("%+v", x)
	}
	for _, tc := range []struct {
		at   int64
		want float64
	}{{10*minute + 100, 1}, {11 * minute, 1}, {11*minute + minute/2, 0.5}, {12 * minute, 0}, {100 * minute, 0}} {
		if got := list[0].Rate(tc.at); got != tc.want {
			t.Errorf("at %d the rate is %v, want %v", tc.at, got, tc.want)
		}
	}
	for _, tc := range []struct {
		at   int64
		want float64
	}{{10*minute + 100, 0}, {11 * minute, 1}, {12 * minute, 0.5}, {14 * minute, 0.25}, {70 * minute, 1. / 60}, {71 * minute, 59. / 3600}, {1000 * minute, 0}} {
		if got := list[0].Usual(tc.at); math.Abs(got-tc.want) > 1e-6 {
			t.Errorf("at %d the usual rate is %v, want %v", tc.at, got, tc.want)
		}
	}
	for i := range maxSources + 50 {
		see(fmt.Sprint("pod-", i), 10*minute)
	}
	if n := len(s.List()); n > maxSources+1 {
		t.Errorf("%d sources are kept", n)
	}
	for i := range 2 * maxSources {
		s.Failed("edge", fmt.Sprint("guess-", i), errors.New("no JSON"))
	}
	if n := len(s.List()); n > 2*maxSources+1 {
		t.Errorf("%d sources are kept", n)
	}
}
