// SPDX-License-Identifier: Apache-2.0

package storetest

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"tocsin/correlate"
	"tocsin/incident"
	"tocsin/store"
)

func aToken(name string) store.Token {
	return store.Token{
		Name: name, Hash: []byte(strings.Repeat(name[:1], 32)), Roles: []string{"viewer", "analyst"}, Scope: []string{"prod/shop"},
		Expires: base, CreatedBy: "ana",
	}
}

func tokens(t *testing.T, k Kind) {
	s, ctx := k.Open(t), t.Context()
	a, err := s.AddToken(ctx, aToken("a"))
	if err != nil || a.ID == "" || a.Created == 0 {
		t.Fatalf("AddToken = %+v, %v", a, err)
	}
	if diff := cmp.Diff(aToken("a"), a, cmpopts.IgnoreFields(store.Token{}, "ID", "Created")); diff != "" {
		t.Error(diff)
	}
	if got, err := s.Token(ctx, aToken("a").Hash); err != nil || cmp.Diff(a, got) != "" {
		t.Errorf("Token = %+v, %v", got, err)
	}
	if _, err := s.Token(ctx, []byte("x")); !is(err, incident.ErrNotFound) {
		t.Errorf("Token of another hash: %v", err)
	}
	again := aToken("a")
	again.Hash = []byte("another")
	if _, err := s.AddToken(ctx, again); !is(err, store.ErrTaken) {
		t.Errorf("a second token of the name: %v", err)
	}

	b := aToken("b")
	b.Scope = nil // everything, and not nothing
	if b, err = s.AddToken(ctx, b); err != nil || b.Scope != nil {
		t.Fatalf("a token without a scope: %+v, %v", b, err)
	}
	c := aToken("c")
	c.Scope = []string{}
	if c, err = s.AddToken(ctx, c); err != nil || c.Scope == nil {
		t.Fatalf("a token that sees nothing: %+v, %v", c, err)
	}
	var names []string
	for cursor := ""; ; {
		page, next, err := s.Tokens(ctx, 2, cursor)
		if err != nil {
			t.Fatal(err)
		}
		for _, x := range page {
			names = append(names, x.Name)
		}
		if cursor = next; next == "" {
			break
		}
	}
	if diff := cmp.Diff([]string{"c", "b", "a"}, names); diff != "" {
		t.Error(diff)
	}

	if err := s.RevokeToken(ctx, a.ID); err != nil {
		t.Fatal(err)
	}
	revoked, err := s.Token(ctx, a.Hash)
	if err != nil || revoked.Revoked == 0 {
		t.Fatalf("after it was revoked: %+v, %v", revoked, err)
	}
	if err := s.RevokeToken(ctx, a.ID); err != nil {
		t.Error(err)
	}
	if twice, err := s.Token(ctx, a.Hash); err != nil || twice.Revoked != revoked.Revoked {
		t.Errorf("revoked twice: %+v, %v", twice, err)
	}
	for _, id := range []string{"none", id(anIncident, 1)} {
		if err := s.RevokeToken(ctx, id); !is(err, incident.ErrNotFound) {
			t.Errorf("RevokeToken(%s): %v", id, err)
		}
	}
	if _, err := s.AddToken(ctx, again); err != nil {
		t.Errorf("the name of one that is revoked is free: %v", err)
	}
}

func tokenUse(t *testing.T, k Kind) {
	s, ctx := k.Open(t), t.Context()
	a, err := s.AddToken(ctx, aToken("a"))
	if err != nil {
		t.Fatal(err)
	}
	used := func(every time.Duration) int64 {
		t.Helper()
		if err := s.TouchToken(ctx, a.ID, every); err != nil {
			t.Fatal(err)
		}
		x, err := s.Token(ctx, a.Hash)
		if err != nil {
			t.Fatal(err)
		}
		return x.LastUsed
	}
	first := used(time.Minute)
	if first < a.Created {
		t.Errorf("used at %d, made at %d", first, a.Created)
	}
	if second := used(time.Minute); second != first {
		t.Error("a use within the minute was written")
	}
	if third := used(-time.Hour); third < first {
		t.Error("a later use was not written")
	}
}

func sessions(t *testing.T, k Kind) {
	s, ctx := k.Open(t), t.Context()
	now := time.Now().UnixNano()
	live := store.Session{Hash: []byte("live"), Name: "ana", Subject: "1", Roles: []string{"viewer"}, Expires: now + int64(time.Hour)}
	old := store.Session{Hash: []byte("old"), Name: "bo", Subject: "2", Roles: []string{}, Scope: []string{}, Expires: now - int64(time.Hour)}
	for _, x := range []store.Session{live, old} {
		if err := s.AddSession(ctx, x); err != nil {
			t.Fatal(err)
		}
	}
	got, err := s.Session(ctx, live.Hash)
	if diff := cmp.Diff(live, got, cmpopts.IgnoreFields(store.Session{}, "Created")); err != nil || diff != "" {
		t.Errorf("%v %s", err, diff)
	}
	if err := s.EndSession(ctx, live.Hash); err != nil {
		t.Fatal(err)
	}
	for _, hash := range [][]byte{live.Hash, old.Hash, nil} {
		if x, err := s.Session(ctx, hash); !is(err, incident.ErrNotFound) {
			t.Errorf("Session(%s) = %+v, %v", hash, x, err)
		}
	}
}

func anEntry(n int) store.Entry {
	return store.Entry{
		Actor: fmt.Sprint("actor-", n%2), Via: "token", Operation: "close-incident", Object: fmt.Sprint("/api/v1/incidents/", n, "/close"),
		Remote: "203.0.113.7", Request: fmt.Sprint("r", n), Outcome: store.Started,
	}
}

func auditLog(t *testing.T, k Kind) {
	s, ctx := k.Open(t), t.Context()
	var ids []int64
	for n := range 5 {
		id, err := s.Record(ctx, anEntry(n))
		if err != nil || n > 0 && id <= ids[n-1] {
			t.Fatalf("Record = %d, %v after %v", id, err, ids)
		}
		ids = append(ids, id)
	}
	if err := s.Settle(ctx, ids[1], "done", 200); err != nil {
		t.Fatal(err)
	}
	if err := s.Settle(ctx, ids[1], "failed", 500); err != nil {
		t.Fatal(err)
	}
	all := func(f store.EntryFilter) (out []store.Entry) {
		t.Helper()
		for f.Limit = 2; ; {
			page, next, err := s.Audit(ctx, f)
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, page...)
			if f.Cursor = next; next == "" {
				return out
			}
		}
	}
	requests := func(f store.EntryFilter) (out []string) {
		t.Helper()
		for _, e := range all(f) {
			out = append(out, e.Request)
		}
		return out
	}
	for _, tt := range []struct {
		name string
		f    store.EntryFilter
		want []string
	}{
		{"all, newest first", store.EntryFilter{}, []string{"r4", "r3", "r2", "r1", "r0"}},
		{"actor", store.EntryFilter{Actor: "actor-1"}, []string{"r3", "r1"}},
		{"operation", store.EntryFilter{Operation: "none"}, nil},
		{"object", store.EntryFilter{Object: "/api/v1/incidents/2/close"}, []string{"r2"}},
		{"outcome", store.EntryFilter{Outcome: "done"}, []string{"r1"}},
		{"since", store.EntryFilter{Since: 1 << 62}, nil},
		{"until", store.EntryFilter{Until: 1}, nil},
	} {
		if diff := cmp.Diff(tt.want, requests(tt.f)); diff != "" {
			t.Errorf("%s: %s", tt.name, diff)
		}
	}
	done := all(store.EntryFilter{Outcome: "done"})[0]
	want := anEntry(1)
	want.Outcome, want.Status = "done", 200
	if diff := cmp.Diff(want, done, cmpopts.IgnoreFields(store.Entry{}, "ID", "At", "Finished")); diff != "" || done.At == 0 || done.Finished < done.At {
		t.Errorf("%+v %s", done, diff)
	}
	if _, _, err := s.Audit(ctx, store.EntryFilter{Cursor: "x"}); !is(err, incident.ErrBadCursor) {
		t.Errorf("a bad cursor: %v", err)
	}
}

// auditStays tries to change the audit log behind the store's back.
func auditStays(t *testing.T, k Kind) {
	s, ctx := k.Open(t), t.Context()
	started, err := s.Record(ctx, anEntry(1))
	if err != nil {
		t.Fatal(err)
	}
	done, err := s.Record(ctx, anEntry(2))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Settle(ctx, done, "done", 200); err != nil {
		t.Fatal(err)
	}
	before, _, err := s.Audit(ctx, store.EntryFilter{})
	if err != nil {
		t.Fatal(err)
	}
	for _, query := range []string{
		"DELETE FROM audit",
		fmt.Sprintf("DELETE FROM audit WHERE id = %d", started),
		fmt.Sprintf("UPDATE audit SET actor = 'somebody else' WHERE id = %d", started),
		fmt.Sprintf("UPDATE audit SET object = '', outcome = 'done' WHERE id = %d", started),
		fmt.Sprintf("UPDATE audit SET at = 0 WHERE id = %d", started),
		fmt.Sprintf("UPDATE audit SET outcome = 'refused' WHERE id = %d", done),
		fmt.Sprintf("UPDATE audit SET outcome = 'started' WHERE id = %d", done),
	} {
		if err := k.Try(t, s, query); err == nil || !strings.Contains(err.Error(), "append only") {
			t.Errorf("%s: %v", query, err)
		}
	}
	after, _, err := s.Audit(ctx, store.EntryFilter{})
	if diff := cmp.Diff(before, after); err != nil || diff != "" {
		t.Errorf("%v %s", err, diff)
	}
}

// scopes follows evidence and its detection wherever they go.
func scopes(t *testing.T, k Kind) {
	s := own(t, k)
	r := aRule("exec")
	shop, pay, host, both := anOpen(r, 1), anOpen(r, 2), anOpen(r, 3), anOpen(r, 4)
	s.put(shop, pay, host, both)
	at := func(in incident.Incident, n, i int, cluster, namespace string) {
		e := evidenceOf(n, i, "failed")
		frozen := freeze(in.ID, e)
		frozen[0].Item.Fields = map[string]any{"user.name": "ana"}
		if cluster != "" {
			frozen[0].Item.Fields["k8s.cluster.name"] = cluster
		}
		if namespace != "" {
			frozen[0].Item.Fields["k8s.namespace.name"] = namespace
		}
		s.commit(s.next(correlate.Changes{Detections: []correlate.DetectionChange{aDetectionOf(in, n, e)}}, frozen...))
	}
	at(shop, 1, 1, "prod", "shop")
	at(pay, 2, 1, "prod", "pay")
	at(host, 3, 1, "", "")
	at(both, 4, 1, "prod", "pay")
	at(both, 4, 2, "test", "shop")
	seen := func(want string, ns ...int) {
		t.Helper()
		scope, err := incident.ParseScope(strings.Fields(want))
		if err != nil {
			t.Fatal(err)
		}
		wanted, in := []string{}, map[string]bool{}
		for _, n := range ns {
			wanted = append(wanted, id(anIncident, n))
			in[id(anIncident, n)] = true
		}
		for _, f := range []incident.Filter{{}, {EntityType: "ip", EntityName: "10.0.0.1"}, {Technique: "T1078"}} {
			f.Scope, f.Limit = scope, 1
			if diff := cmp.Diff(wanted, s.list(f)); diff != "" {
				t.Errorf("%s, %+v: %s", want, f, diff)
			}
		}
		got, err := s.InScope(t.Context(), scope, shop.ID, pay.ID, host.ID, both.ID, id(anIncident, 9), "none")
		if diff := cmp.Diff(in, got); err != nil || diff != "" {
			t.Errorf("InScope(%s): %v %s", want, err, diff)
		}
	}
	seen("prod/shop", 1)
	seen("prod/*", 4, 2, 1)
	seen("*/shop", 4, 1)
	seen("test/pay") // cluster and namespace are those of one event
	seen("", []int{}...)
	seen("prod/shop test/shop", 4, 1)
	seen("prod/pay */shop", 4, 2, 1)
	seen("prod/pay */shop test/* prod/pay", 4, 2, 1)
	seen("none/* */none none/none")
	seen("prod/pay */shop"+strings.Repeat(" none/none", 70), 4, 2, 1)

	s.commit(s.next(correlate.Changes{Detections: []correlate.DetectionChange{
		{Incident: pay.ID, Detection: incident.Detection{ID: id(aDetection, 1)}, Moved: true},
		{Detection: incident.Detection{ID: id(aDetection, 4)}, Gone: true},
	}}))
	seen("prod/shop", 2)
	seen("test/* none/none")
	seen("test/*")
}
