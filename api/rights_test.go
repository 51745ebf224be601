// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"tocsin/api/auth"
	"tocsin/api/auth/authtest"
)

// house is a server with a token for each role, and one more for each that is bounded to a namespace.
type house struct {
	*server
	mux     *router
	handler http.Handler
	store   *authtest.Memory
	secrets map[string]string
}

func newHouse(t *testing.T) *house {
	t.Helper()
	now := func() time.Time { return time.Unix(1_700_000_000, 0) }
	h := &house{store: &authtest.Memory{Now: now}, secrets: make(map[string]string)}
	h.server, h.mux = build(Config{Backend: noBackend{}, Store: h.store, Now: now})
	h.handler = h.guard(h.mux)
	for _, role := range auth.RoleNames() {
		for name, scope := range map[string][]string{role: nil, role + "-of-shop": {"*/shop"}} {
			secret, hash := auth.NewSecret()
			if _, err := h.store.AddToken(context.Background(), auth.Token{Name: name, Hash: hash, Roles: []string{role}, Scope: scope}); err != nil {
				t.Fatal(err)
			}
			h.secrets[name] = secret
		}
	}
	return h
}

// routes returns method, path and operation of everything that needs an entry.
func (h *house) routes() (out [][3]string) {
	fill := regexp.MustCompile(`\{[^}]*\}`)
	for _, pattern := range h.mux.patterns {
		method, path, ok := strings.Cut(pattern, " ")
		if !ok || !strings.HasPrefix(path, "/api/") && !strings.HasPrefix(path, "/auth/") {
			continue
		}
		id := h.ids[pattern]
		if id == "" {
			id = pattern
		}
		out = append(out, [3]string{method, fill.ReplaceAllString(path, strings.Repeat("0", 32)), id})
	}
	return out
}

func (h *house) ask(method, path, secret string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, strings.NewReader("{}"))
	r.Header.Set("Content-Type", "application/json")
	if secret != "" {
		r.Header.Set("Authorization", "Bearer "+secret)
	}
	w := httptest.NewRecorder()
	h.handler.ServeHTTP(w, r)
	return w
}

// reason returns what the type of a problem ends with.
func reason(w *httptest.ResponseRecorder) string {
	var p struct{ Type, Detail string }
	if json.Unmarshal(w.Body.Bytes(), &p) != nil || p.Detail == "" || w.Header().Get("Content-Type") != "application/problem+json" {
		return "no problem: " + w.Body.String()
	}
	_, after, _ := strings.Cut(p.Type, "#")
	return after
}

// TestEveryRouteHasItsRights asks for every route that is registered with each role, with and without a scope, and without
// proof; what may be done is what docs/auth.md says.
func TestEveryRouteHasItsRights(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	said := rightsInDocs(t)
	if *update {
		said = writeRights(t, h)
	}
	routes := h.routes()
	if len(routes) < 20 {
		t.Fatalf("there are %d routes: %v", len(routes), routes)
	}
	seen := make(map[string]bool)
	for _, r := range routes {
		method, path, id := r[0], r[1], r[2]
		seen[id] = true
		op, ok := auth.Operations()[id]
		if !ok {
			t.Errorf("%s %s has no entry in auth.Operations: nobody may do it. Add %q with what it needs and how it keeps to a scope", method, path, id)
			continue
		}
		if op.Scoping < auth.Filtered || op.Scoping > auth.Whole {
			t.Errorf("%s: it is not said how it keeps to a scope", id)
		}
		w := h.ask(method, path, "")
		if public := op.Needs == ""; public != (w.Code != http.StatusUnauthorized) || !public && reason(w) != auth.NoProof {
			t.Errorf("%s without proof: %d %s", id, w.Code, w.Body)
		}
		for _, role := range auth.RoleNames() {
			for _, bounded := range []bool{false, true} {
				name := role
				if bounded {
					name += "-of-shop"
				}
				want := ""
				switch may := said[id][role]; {
				case may == "":
					want = auth.MissingRight
				case may != "yes" && bounded:
					want = auth.OutsideScope
				}
				w := h.ask(method, path, h.secrets[name])
				if want == "" && (w.Code == http.StatusForbidden || w.Code == http.StatusUnauthorized) || want != "" && (w.Code != http.StatusForbidden || reason(w) != want) {
					t.Errorf("%s as %s: %d %s, want %q as docs/auth.md says (go test ./api -run Rights -update rewrites it)", id, name, w.Code, w.Body, want)
				}
			}
		}
	}
	for id := range auth.Operations() {
		if !seen[id] {
			t.Errorf("auth.Operations has %q, and there is no such route", id)
		}
	}
	if len(said) != len(seen) {
		t.Errorf("docs/auth.md has %d operations, there are %d", len(said), len(seen))
	}
}

// TestARouteWithoutAnEntryIsRefused to everybody, and in the way that the test above looks for.
func TestARouteWithoutAnEntryIsRefused(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	done := false
	h.mux.HandleFunc("POST /api/v1/secrets", func(http.ResponseWriter, *http.Request) { done = true })
	if w := h.ask(http.MethodPost, "/api/v1/secrets", h.secrets[auth.Admin]); w.Code != http.StatusForbidden || reason(w) != auth.UnknownOperation || done {
		t.Errorf("%d %s, done %t", w.Code, w.Body, done)
	}
}

const (
	rightsFile  = "../docs/auth.md"
	rightsBegin = "<!-- rights: go test ./api -run Rights -update -->\n"
	rightsEnd   = "<!-- end of rights -->"
)

func rightsPage(t *testing.T) (before, table, after string) {
	t.Helper()
	b, err := os.ReadFile(rightsFile)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(b), rightsBegin)
	table, after, ok2 := strings.Cut(rest, rightsEnd)
	if !ok || !ok2 {
		t.Fatalf("%s has no table of rights", rightsFile)
	}
	return before, table, after
}

// rightsInDocs reads the table: by operation and role "yes", "whole" for who has no scope alone, or nothing.
func rightsInDocs(t *testing.T) map[string]map[string]string {
	t.Helper()
	_, table, _ := rightsPage(t)
	out := make(map[string]map[string]string)
	var head []string
	for line := range strings.Lines(table) {
		var cells []string
		for cell := range strings.SplitSeq(strings.Trim(strings.TrimSpace(line), "|"), "|") {
			cells = append(cells, strings.Trim(strings.TrimSpace(cell), "`"))
		}
		switch {
		case len(cells) < 3 || strings.HasPrefix(cells[0], "---"):
		case head == nil:
			head = cells
		default:
			out[cells[0]] = make(map[string]string)
			for i, cell := range cells[2:] {
				out[cells[0]][head[i+2]] = cell
			}
		}
	}
	return out
}

func writeRights(t *testing.T, h *house) map[string]map[string]string {
	t.Helper()
	before, _, after := rightsPage(t)
	roles := []string{auth.Viewer, auth.Analyst, auth.Engineer, auth.Admin, auth.Ingest}
	var b strings.Builder
	fmt.Fprintf(&b, "| operation | needs | %s |\n| --- | --- |%s\n", strings.Join(roles, " | "), strings.Repeat(" --- |", len(roles)))
	var ids []string
	for _, r := range h.routes() {
		ids = append(ids, r[2])
	}
	slices.Sort(ids)
	for _, id := range ids {
		op := auth.Operations()[id]
		needs := "no proof"
		if op.Needs != "" {
			needs = "`" + op.Needs + "`"
		}
		fmt.Fprintf(&b, "| `%s` | %s |", id, needs)
		for _, role := range roles {
			may := ""
			if op.Needs == "" || (auth.Principal{Roles: []string{role}}).May(op.Needs) {
				may = "yes"
				if op.Scoping == auth.Whole {
					may = "whole"
				}
			}
			fmt.Fprintf(&b, " %s |", may)
		}
		b.WriteString("\n")
	}
	if err := os.WriteFile(rightsFile, []byte(before+rightsBegin+b.String()+rightsEnd+after), 0o600); err != nil {
		t.Fatal(err)
	}
	return rightsInDocs(t)
}

// TestRolesAreAsTheDocsSay: the other table of docs/auth.md.
func TestRolesAreAsTheDocsSay(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile(rightsFile)
	if err != nil {
		t.Fatal(err)
	}
	for _, role := range slices.Sorted(maps.Keys(auth.Roles())) {
		line := "| `" + role + "` | `" + strings.Join(auth.Roles()[role], "` `") + "` |"
		if !strings.Contains(string(page), line) {
			t.Errorf("docs/auth.md does not have %s", line)
		}
	}
}
