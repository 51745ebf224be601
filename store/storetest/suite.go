// SPDX-License-Identifier: Apache-2.0

package storetest

import (
	"testing"

	"tocsin/store"
)

// Kind is one implementation under test.
type Kind struct {
	// Open returns a fresh store with its tables, and closes it when the test ends.
	Open func(t testing.TB) store.Store
	// Exec runs a statement behind the store's back, to do damage.
	Exec func(t testing.TB, s store.Store, query string)
}

// Run runs the suite.
func Run(t *testing.T, k Kind) {
	t.Helper()
	tests := []struct {
		name string
		fn   func(*testing.T, Kind)
	}{
		{"a commit is read back whole", readBack},
		{"a commit twice is the commit once", commitTwice},
		{"a commit that says a thing twice", twiceInOne},
		{"only a newer revision replaces an incident", revisions},
		{"what people write stays", peopleStay},
		{"evidence is displaced", displaced},
		{"evidence pages in order of time", evidencePages},
		{"a joined detection goes, a moved one moves", joined},
		{"a commit is all or nothing", allOrNothing},
		{"a forgotten incident is closed", closeForgotten},
		{"text of any bytes", anyText},
		{"numbers of 64 bits", wideNumbers},
		{"places and unknown ids", places},

		{"an owner that was replaced writes nothing", fencing},
		{"zombies and owners at once", zombies},
		{"a commit never goes back", behind},
		{"leases are shared and run out", leases},
		{"members share fairly", fairShare},
		{"onlookers have no share", onlookers},
		{"snapshots come back", snapshots},
		{"a damaged snapshot is refused", damaged},

		{"each filter", filters},
		{"pages are stable while others write", stablePages},
		{"cursors are bound to their list", cursors},
		{"lists carry twenty detections", longIncidents},
		{"rollups equal a recount", rollups},
		{"numbers of rules are summed", ruleStats},

		{"an alert is claimed by one", claims},
		{"an alert of a sender that died is another's", claimsOfTheDead},
		{"an alert waits, returns and dies", alertLife},
		{"alerts of an incident keep their order", alertOrder},
		{"a receiver in order gets the oldest alert", alertsInOrder},
		{"alerts are listed newest first", alertList},

		{"migrations run once", migrate},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			tt.fn(t, k)
		})
	}
}

func migrate(t *testing.T, k Kind) {
	s := k.Open(t)
	have, want, err := s.Version(t.Context())
	if err != nil || have != want || have == 0 {
		t.Fatalf("Version = %d, %d, %v after migration", have, want, err)
	}
	errs := make(chan error)
	for range 3 {
		go func() { errs <- s.Migrate(t.Context()) }()
	}
	for range 3 {
		if err := <-errs; err != nil {
			t.Errorf("Migrate again, three at once: %v", err)
		}
	}
	if err := s.Ping(t.Context()); err != nil {
		t.Errorf("Ping: %v", err)
	}
	k.Exec(t, s, "INSERT INTO goose_db_version (version_id, is_applied) VALUES (99999, true)")
	if err := s.Migrate(t.Context()); !is(err, store.ErrNewer) {
		t.Errorf("Migrate of a newer database: %v, want ErrNewer", err)
	}
}
