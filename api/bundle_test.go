// SPDX-License-Identifier: Apache-2.0

package api_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/tlog"

	"tocsin/api"
	"tocsin/api/auth"
	"tocsin/api/auth/authtest"
	"tocsin/proof"
)

// proofs is a tree of one entry, about the incident that is known.
type proofs struct {
	key     proof.Key
	err     error
	problem string
	behind  bool // another has signed since
}

func newProofs(t testing.TB) *proofs {
	t.Helper()
	secret, err := proof.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	key, err := proof.ParseKey(secret)
	if err != nil {
		t.Fatal(err)
	}
	return &proofs{key: key}
}

func (p *proofs) entry() proof.Entry {
	return proof.Entry{ID: 7, Actor: "ana", Object: "/api/v1/incidents/" + known + "/close"}
}

func (p *proofs) signed() proof.Signed {
	tree := tlog.Tree{N: 1, Hash: p.entry().Hash()}
	msg, err := p.key.Sign(tree)
	if err != nil {
		panic(err)
	}
	return proof.Signed{Note: msg, Key: p.key.Public(), Tree: tree, At: now.UnixNano()}
}

func (p *proofs) Standing() proof.Standing {
	if p.err != nil || p.behind {
		return proof.Standing{}
	}
	return proof.Standing{Signed: p.signed(), Checked: now.UnixNano(), Problem: p.problem}
}

func (p *proofs) Seal(context.Context) (proof.Signed, error) { return p.signed(), p.err }

func (p *proofs) EntriesOf(context.Context, proof.Signed, string, int) ([]proof.Proved, bool, error) {
	return []proof.Proved{{Placed: proof.Placed{Entry: p.entry()}}}, false, p.err
}

func (p *proofs) Pack(files []proof.File) ([]byte, error) { return p.key.Pack(files) }

func (p *proofs) Extension(context.Context, proof.Signed, int64) (tlog.TreeProof, error) {
	return tlog.TreeProof{p.entry().Hash()}, p.err
}

// unpacked returns a bundle as text, and anything else as it is.
func unpacked(t testing.TB, w *httptest.ResponseRecorder) string {
	t.Helper()
	if w.Header().Get("Content-Type") != "application/gzip" {
		return w.Body.String()
	}
	files, err := proof.Unpack(bytes.NewReader(w.Body.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, f := range files {
		b.WriteString("== " + f.Name + "\n" + string(f.Data))
	}
	return b.String()
}

// TestABundleIsOfWhoAsks: one without the right to read the audit log gets the same bundle without it, and is told why.
func TestABundleIsOfWhoAsks(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		role    string
		scope   []string
		broken  bool
		entries int
		want    string
	}{
		{"admin", auth.Admin, nil, false, 1, `"actor": "ana"`},
		{"viewer", auth.Viewer, nil, false, 0, `"withheld": "this needs audit:read, which the role admin has: you have viewer"`},
		{"admin of a namespace", auth.Admin, []string{"prod/shop"}, false, 0, `"withheld": "this is about all clusters, and you have the scope prod/shop"`},
		{"nothing can be signed", auth.Admin, nil, true, 0, `"withheld": "the audit log had no checkpoint`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p, f := newProofs(t), &fake{}
			f.place.Cluster, f.place.Namespace = "prod", "shop"
			if tt.broken {
				p.err = errors.New("postgres://admin:hunter2@db")
			}
			c := config(f)
			store := &authtest.Memory{Now: clock}
			c.Store, c.Proofs = store, p
			w := with(api.New(c), tokenOf(t, store, "x", tt.scope, tt.role), "GET", "/api/v1/incidents/"+known+"/bundle", "")
			if w.Code != http.StatusOK || w.Header().Get("Content-Disposition") != `attachment; filename="evidence-01234567.tar.gz"` {
				t.Fatalf("%d %v %s", w.Code, w.Header(), w.Body)
			}
			text := unpacked(t, w)
			if !strings.Contains(text, tt.want) || strings.Contains(text, "hunter2") {
				t.Errorf("no %s in\n%s", tt.want, text)
			}
			v, err := proof.VerifyBundle(bytes.NewReader(w.Body.Bytes()), p.key.Public())
			if err != nil || v.Incident != known || v.Events != 1 || v.Entries != tt.entries {
				t.Errorf("%+v, %v", v, err)
			}
		})
	}
}

// TestABundleHasTheRuleThatMadeTheIncident: the text in force is never given for that of then, and what is not there is said.
func TestABundleHasTheRuleThatMadeTheIncident(t *testing.T) {
	t.Parallel()
	const now, old = "the rule of now", "the rule of then"
	for _, tt := range []struct {
		name           string
		revision, then string
		who            string
		rule, ruleThen string
		want           string // in rule.json
	}{
		{"as it was", "", "", "admin", now, "", `"in_force": "r2"`},
		{"changed", "r1", old, "admin", now, old, `"in_force": "r2"`},
		{"changed, and not kept", "r1", "", "admin", now, "", `"withheld": "nobody kept r1"`},
		{"changed, and not for them", "r1", old, "scoped", "", "", `"withheld": "this is about all clusters, and you have the scope prod/shop"`},
		{"as it was, and not for them", "", "", "scoped", "", "", `"withheld": "this is about all clusters, and you have the scope prod/shop"`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := &fake{revision: tt.revision, then: tt.then}
			f.place.Cluster, f.place.Namespace = "prod", "shop"
			c, p, store := config(f), newProofs(t), &authtest.Memory{Now: clock}
			c.Store, c.Proofs, c.Version, c.Settings = store, p, "v9", "c0ffee"
			var scope []string
			if tt.who == "scoped" {
				scope = []string{"prod/shop"}
			}
			w := with(api.New(c), tokenOf(t, store, "x", scope, auth.Admin), "GET", "/api/v1/incidents/"+known+"/bundle", "")
			v, err := proof.VerifyBundle(bytes.NewReader(w.Body.Bytes()), p.key.Public())
			if err != nil || v.Server != (proof.ServerPart{Version: "v9", Config: "c0ffee"}) || (v.Rule.Then != nil) != (tt.revision != "") {
				t.Errorf("%+v, %v", v, err)
			}
			list, err := proof.Unpack(bytes.NewReader(w.Body.Bytes()))
			if err != nil {
				t.Fatal(err)
			}
			files := make(map[string]string)
			for _, f := range list {
				files[f.Name] = string(f.Data)
			}
			if files[proof.RuleFile] != tt.rule || files[proof.RuleThenFile] != tt.ruleThen || !strings.Contains(files[proof.RuleFacts], tt.want) {
				t.Errorf("rule %q, then %q, %s", files[proof.RuleFile], files[proof.RuleThenFile], files[proof.RuleFacts])
			}
		})
	}
}

// TestCheckpoint: the newest is answered as it was signed, with what does not verify.
func TestCheckpoint(t *testing.T) {
	t.Parallel()
	p := newProofs(t)
	c := config(&fake{})
	c.Proofs = p
	get := func(query string) (v api.CheckpointView, w *httptest.ResponseRecorder) {
		t.Helper()
		w = ask(api.New(c), "GET", "/api/v1/audit/checkpoint"+query, "")
		if err := json.Unmarshal(w.Body.Bytes(), &v); err != nil {
			t.Fatal(err)
		}
		return v, w
	}
	v, w := get("")
	if tree, err := proof.Checkpoint(v.Checkpoint, v.PublicKey); err != nil || tree.N != 1 || v.Size != 1 || v.Problem != "" || int64(v.CheckedAt) != now.UnixNano() {
		t.Errorf("%v, %v: %s", tree, err, w.Body)
	}
	if v, _ := get("?since=1"); len(v.Consistency) != 1 || v.Consistency[0] != p.entry().Hash().String() {
		t.Errorf("since 1: %v", v.Consistency)
	}
	if _, w := get("?since=2"); w.Code != http.StatusUnprocessableEntity {
		t.Errorf("since what is not there: %d", w.Code)
	}
	p.behind = true // what this one has not looked at yet is no loss
	if v, w := get("?since=1"); v.Size != 1 || len(v.Consistency) != 1 {
		t.Errorf("since what another has signed: %d %s", w.Code, w.Body)
	}
	p.behind, p.problem = false, "entry 7 is another"
	if v, _ := get(""); v.Problem != p.problem {
		t.Errorf("problem %q", v.Problem)
	}
	p.err = errors.New("down")
	if _, w := get(""); w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") == "" {
		t.Errorf("before the first: %d %v", w.Code, w.Header())
	}
}
