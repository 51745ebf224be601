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
	// Try does the same with what should be refused.
	Try func(t testing.TB, s store.Store, query string) error
	// Loose takes away what keeps the audit log from being changed, as who owns the database can.
	Loose func(t testing.TB, s store.Store)
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
		{"who commits keeps the lease", committed},
		{"members share fairly", fairShare},
		{"onlookers have no share", onlookers},
		{"snapshots come back", snapshots},
		{"a snapshot that cannot be read is undone", undone},
		{"an earlier version keeps one snapshot", earlierVersion},
		{"a damaged snapshot is refused", damaged},
		{"a newer snapshot is left to who reads it", newerSnapshots},

		{"each filter", filters},
		{"filters together", combinations},
		{"pages are stable while others write", stablePages},
		{"cursors are bound to their list", cursors},
		{"lists carry twenty detections", longIncidents},
		{"changes come in order, each once", changes},
		{"no change is passed over", changesOfMany},
		{"a change of a part names the whole", changesOfParts},
		{"detections come in the order of their changes", detectionChanges},
		{"rollups equal a recount", rollups},
		{"numbers of rules are summed", ruleStats},

		{"an alert is claimed by one", claims},
		{"an alert of a sender that died is another's", claimsOfTheDead},
		{"an alert waits, returns and dies", alertLife},
		{"alerts of an incident keep their order", alertOrder},
		{"a receiver in order gets the oldest alert", alertsInOrder},
		{"alerts are listed newest first", alertList},
		{"an alert that waits", waits},
		{"deliveries come in order, each once", deliveries},
		{"no delivery is passed over", deliveriesOfMany},
		{"dead alerts since a time", revival},
		{"ends are told to who heard of the beginning", ends},
		{"what an incident holds back", heldBack},
		{"silences are kept and changed", silences},
		{"an alert that is silenced", silenced},
		{"what a receiver forgets is told again", toldAgain},
		{"open incidents are reminded of", reminders},

		{"work has its acts", workIsKept},
		{"a closing that was forgotten has its act", forgottenCloses},
		{"work that comes twice is one act", keysOfRequests},
		{"a key of a request that changed nothing", keysOfNothing},
		{"a timeline is one order of everything", timelines},
		{"what people merge is shown with the other", joins},
		{"what would be hidden comes back", hiddenParts},
		{"what people merged is not hidden in what is closed", partsOfClosed},
		{"a scope follows what was merged", joinedScopes},
		{"a place that a part comes to is the whole's", placeOfAPart},
		{"people merge while the engine works", joinsAtOnce},
		{"what is made again is shown with the first", repeats},
		{"many end at midnight", atMidnight},
		{"what is related shares an entity", related},
		{"what others have on an entity hides nothing", relatedInScope},

		{"tokens are found by their hash", tokens},
		{"the use of a token is noted now and then", tokenUse},
		{"sessions end", sessions},
		{"acts are recorded and settled once", auditLog},
		{"the audit log is append only", auditStays},
		{"the tree of the audit log has each entry once", treeGrows},
		{"what is in the tree is final", treeIsFinal},
		{"what is changed in the tree is named", treeTampered},
		{"several add to the tree at once", treeTogether},
		{"the tree knows the entries about an incident", treeOfIncident},
		{"a checkpoint does not go back", checkpoints},
		{"a scope follows the evidence", scopes},

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
	// One of a lower number that came later is run, too: 7 came after 8.
	k.Exec(t, s, "DELETE FROM goose_db_version WHERE version_id = 7")
	for _, query := range []string{
		"DROP TABLE joining", "DROP TABLE incident_acts", "DROP INDEX incidents_parts", "DROP INDEX incidents_joined", "DROP INDEX incidents_by_status",
		"DROP INDEX incidents_by_severity", "ALTER TABLE incidents DROP COLUMN live", "ALTER TABLE incidents DROP COLUMN joined_into",
		"ALTER TABLE incidents DROP COLUMN work", "ALTER TABLE incidents ADD COLUMN live INTEGER", "CREATE INDEX incidents_by_status ON incidents (live)",
		"CREATE INDEX incidents_by_severity ON incidents (live)",
	} {
		k.Exec(t, s, query)
	}
	if err := s.Migrate(t.Context()); err != nil {
		t.Errorf("Migrate of a database that has 8 and not 7: %v", err)
	}
	k.Exec(t, s, "UPDATE incidents SET joined_into = NULL WHERE work > 0")
	if err := s.Ping(t.Context()); err != nil {
		t.Errorf("Ping: %v", err)
	}
	k.Exec(t, s, "INSERT INTO goose_db_version (version_id, is_applied) VALUES (99999, true)")
	if err := s.Migrate(t.Context()); !is(err, store.ErrNewer) {
		t.Errorf("Migrate of a newer database: %v, want ErrNewer", err)
	}
}
