// SPDX-License-Identifier: Apache-2.0

package storetest

import (
	"testing"
	"time"
)

// onlookers: who claims alerts and takes no partitions counts in nobody's share, and keeps what it claimed while it lives.
func onlookers(t *testing.T, k Kind) {
	s := own(t, k)
	ctx := t.Context()
	const total = 16
	s.alert(alert(1, 1, "hook"))
	attend := func(who string, ttl time.Duration) {
		if err := s.Attend(ctx, who, ttl); err != nil {
			t.Fatal(err)
		}
	}
	share := func() int {
		n, err := s.Share(ctx, total)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	claim := func(who string) int {
		rows, err := s.ClaimOutbox(ctx, who, 10, longLease)
		if err != nil {
			t.Fatal(err)
		}
		return len(rows)
	}
	attend("teller", longLease)
	attend("other", longLease)
	if n := share(); n != total {
		t.Errorf("with one owner and two onlookers a share is %d of %d", n, total)
	}
	if a, b := claim("teller"), claim("other"); a != 1 || b != 0 {
		t.Errorf("an onlooker claimed %d, then another %d; want 1 and 0", a, b)
	}
	attend("teller", noLease)
	if n := claim("other"); n != 1 {
		t.Errorf("the onlooker is dead: another claimed %d, want 1", n)
	}
	// A process that does both has a share, in whatever order it says so.
	for _, who := range []string{"b", "c", "d"} {
		attend(who, longLease)
		if _, err := s.Renew(ctx, who, longLease, nil); err != nil {
			t.Fatal(err)
		}
		attend(who, longLease)
	}
	if n := share(); n != total/4 {
		t.Errorf("with four owners a share is %d of %d", n, total)
	}
	if err := s.Leave(ctx, "other"); err != nil {
		t.Fatal(err)
	}
	if n := claim("teller"); n != 1 {
		t.Errorf("the other onlooker has left: one claimed %d, want 1", n)
	}
}
