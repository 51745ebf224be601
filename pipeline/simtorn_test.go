// SPDX-License-Identifier: Apache-2.0

package pipeline_test

import (
	"strings"
	"testing"
)

// TestEachSnapshotIsTorn: whoever wrote a snapshot dies, and who takes over finds it damaged, be it the first of its partition or
// the last; then the one before it too. Where the log is trimmed of what both have, the one before it is all that there is.
func TestEachSnapshotIsTorn(t *testing.T) {
	t.Parallel()
	for _, s := range scenarios() {
		if !s.torn {
			continue
		}
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			s := s.prepare(t)
			calm := &choices{tell: true}
			if err := s.play(t, calm); err != nil {
				t.Fatal(err)
			}
			torns := 0
			for _, line := range calm.told {
				_, label, _ := strings.Cut(line, ": ")
				_, partition, commits := strings.Cut(label, " commits ")
				if !commits || !strings.HasSuffix(label, ", snapshot") {
					continue
				}
				restores := "restores " + partition[:1]
				for n := range 2 {
					c := &choices{wishes: []wish{{label, crashAfter}, {restores, torn}, {restores, torn}}[:2+n], tell: true}
					err := s.play(t, c)
					if err != nil {
						t.Fatalf("%q is the last that its writer does, the snapshot is torn, and so are %d before it: %v\n%s", label, n, err, strings.Join(c.told, "\n"))
					}
					torns += strings.Count(strings.Join(c.told, "\n"), strings.ToUpper(torn))
				}
			}
			if torns < 10 {
				t.Errorf("%d snapshots were torn: it says little", torns)
			}
		})
	}
}
