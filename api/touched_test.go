// SPDX-License-Identifier: Apache-2.0

package api_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"tocsin/api"
	"tocsin/api/auth"
	"tocsin/api/auth/authtest"
	"tocsin/incident"
)

// TestEachIncidentThatIsTouchedHasAnEntry: whatever path an act is asked at, the audit log has it at each incident that it is about, by the
// same person in the same request and with what became of it there.
func TestEachIncidentThatIsTouchedHasAnEntry(t *testing.T) {
	t.Parallel()
	const path = "/api/v1/incidents/"
	for _, tt := range []struct {
		name, path, body string
		merged           string // what the incident is merged into
		refuse           error
		want             []string
	}{
		{"many", path + "bulk", `{"ids":["` + known + `","` + other + `","` + strings.ToUpper(other) + `","x/../y"],"comment":"c"}`, "", nil, []string{
			"bulk-incidents " + path + "bulk done 200", "bulk-incidents " + path + known + " done 200",
			"bulk-incidents " + path + other + " failed 404", "bulk-incidents " + path + other + " failed 404",
		}},
		{"many, refused", path + "bulk", `{"ids":["` + known + `"],"comment":"c"}`, "", &incident.MergedError{Into: other}, []string{
			"bulk-incidents " + path + "bulk done 200", "bulk-incidents " + path + known + " failed 409",
		}},
		{"a merge", path + known + "/merge", `{"into":"` + other + `"}`, "", nil, []string{
			"merge-incident " + path + known + "/merge done 200", "merge-incident " + path + other + "/merged/" + known + " done 200",
		}},
		{"a merge into a part", path + known + "/merge", `{"into":"` + known + `"}`, other, nil, []string{
			"merge-incident " + path + known + "/merge done 200", "merge-incident " + path + other + "/merged/" + known + " done 200",
		}},
		{"a merge that is refused", path + known + "/merge", `{"into":"` + other + `"}`, "", &incident.JoinError{Why: "a circle"}, []string{
			"merge-incident " + path + known + "/merge failed 409", "merge-incident " + path + other + "/merged/" + known + " failed 409",
		}},
		{"a split", path + known + "/unmerge", "", other, nil, []string{
			"unmerge-incident " + path + known + "/unmerge done 200", "unmerge-incident " + path + other + "/merged/" + known + " done 200",
		}},
		{"a split of nothing", path + known + "/unmerge", "", "", &incident.JoinError{Why: "it is merged into none"}, []string{
			"unmerge-incident " + path + known + "/unmerge failed 409",
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			store := &authtest.Memory{Now: clock}
			c := config(&fake{merged: tt.merged, refuse: tt.refuse})
			c.Store = store
			send(api.New(c), "POST", tt.path, tt.body)
			entries, _, err := store.Audit(t.Context(), auth.EntryFilter{})
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, e := range entries {
				got = append(got, fmt.Sprintf("%s %s %s %d", e.Operation, e.Object, e.Outcome, e.Status))
				if e.Actor != "admin" || e.Request == "" || e.Request != entries[0].Request || e.Remote != entries[0].Remote {
					t.Errorf("%+v beside %+v", e, entries[0])
				}
			}
			slices.Sort(got)
			slices.Sort(tt.want)
			if !slices.Equal(got, tt.want) {
				t.Errorf("%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(tt.want, "\n"))
			}
		})
	}
}

// TestNothingIsTouchedWithoutAnEntry: an incident of many whose entry cannot be written is left as it is, and that is said of it.
func TestNothingIsTouchedWithoutAnEntry(t *testing.T) {
	t.Parallel()
	f := &fake{}
	c := config(f)
	c.Store = &fullLog{Memory: &authtest.Memory{Now: clock}}
	w := send(api.New(c), "POST", "/api/v1/incidents/bulk", `{"ids":["`+known+`"],"comment":"c"}`)
	if w.Code != http.StatusOK || !strings.Contains(w.Body.String(), `"status":503`) || f.work.Comment != "" {
		t.Errorf("%d %s, done %+v", w.Code, w.Body, f.work)
	}
}

// fullLog takes one entry and no other.
type fullLog struct {
	*authtest.Memory
	taken bool
}

func (l *fullLog) Record(ctx context.Context, e auth.Entry) (int64, error) {
	if l.taken {
		return 0, errors.New("the disk is full")
	}
	l.taken = true
	return l.Memory.Record(ctx, e)
}
