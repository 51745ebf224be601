// SPDX-License-Identifier: Apache-2.0

package pipeline

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"tocsin/rules"
)

// sets are rule Sets as they are stored, the newest first.
type sets [][]byte

func (s sets) NewestSets(_ context.Context, n uint64, fn func(hash string, data []byte) (bool, error)) error {
	for i, data := range s[:min(int(n), len(s))] {
		if more, err := fn(fmt.Sprint(i), data); err != nil || !more {
			return err
		}
	}
	return nil
}

func encoded(t *testing.T, text string) (data []byte, revision string) {
	t.Helper()
	set, err := rules.Compile([]rules.File{{Name: "a.yml", Data: []byte(text)}})
	if err != nil {
		t.Fatal(err)
	}
	if data, err = set.Encode(); err != nil {
		t.Fatal(err)
	}
	return data, set.Rules[0].Revision
}

const written = "# %s\nrule: shell\ntitle: A shell\nseverity: high\nmatch: event.action == %q\nby: [user.name]\n"

// TestARuleIsHadAsItWasWritten: by the revision that an incident names, not by the name that all its texts have; in its newest words; and if
// it is not to be had, it is said so.
func TestARuleIsHadAsItWasWritten(t *testing.T) {
	t.Parallel()
	first, r1 := encoded(t, fmt.Sprintf(written, "first", "a"))
	reworded, r1again := encoded(t, fmt.Sprintf(written, "reworded", "a"))
	now, r2 := encoded(t, fmt.Sprintf(written, "now", "b"))
	if r1 != r1again || r1 == r2 {
		t.Fatalf("revisions %s, %s, %s", r1, r1again, r2)
	}
	unnamed, err := json.Marshal([]rules.File{{Name: "old.yml", Data: fmt.Appendf(nil, written, "unnamed", "c")}})
	if err != nil {
		t.Fatal(err)
	}
	_, r3 := encoded(t, fmt.Sprintf(written, "", "c"))
	lost := ofAnother(t, "rule: shell\nnot: a rule\n", "r4")
	kept := sets{now, lost, reworded, first, unnamed}
	for _, tt := range []struct {
		name, id, revision, want string
		err                      error
	}{
		{"as it is", "shell", r2, "# now", nil},
		{"as it was", "shell", r1, "# reworded", nil},
		{"in a set without names", "shell", r3, "# unnamed", nil},
		{"another's", "other", r1, "", ErrNotWritten},
		{"nobody's", "shell", "none", "", ErrNotWritten},
		{"of another version", "shell", "r4", "", ErrUnreadable},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w, err := RuleOf(t.Context(), kept, tt.id, tt.revision)
			if !errors.Is(err, tt.err) || !strings.HasPrefix(w.Text, tt.want) || (w.Text == "") != (tt.err != nil) || tt.err == nil && w.Line != 1 {
				t.Errorf("%+v, %v", w, err)
			}
		})
	}
	if _, err := RuleOf(t.Context(), sets{[]byte("{")}, "shell", r1); err == nil || errors.Is(err, ErrNotWritten) {
		t.Errorf("a set that is damaged: %v", err)
	}
}

// ofAnother is a Set of a text that this version does not compile, as another stored it.
func ofAnother(t *testing.T, text, revision string) []byte {
	t.Helper()
	b, err := json.Marshal(map[string]any{
		"files": []rules.File{{Name: "a.yml", Data: []byte(text)}}, "revisions": map[string]string{"shell": revision},
	})
	if err != nil {
		t.Fatal(err)
	}
	return b
}
