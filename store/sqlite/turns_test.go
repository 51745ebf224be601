// SPDX-License-Identifier: Apache-2.0

package sqlite

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
)

// TestTurns: what is short waits for one commit and not for all that came before it, commits come in order, and neither shuts
// the other out.
func TestTurns(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var ts turns
		if err := ts.take(t.Context(), false); err != nil {
			t.Fatal(err)
		}
		var had []string
		wait := func(ctx context.Context, name string, short bool) {
			go func() {
				if err := ts.take(ctx, short); err != nil {
					had = append(had, name+": "+err.Error())
					return
				}
				had = append(had, name)
				ts.give()
			}()
			synctest.Wait()
		}
		tired, giveUp := context.WithCancelCause(t.Context())
		wait(t.Context(), "commit 1", false)
		wait(tired, "commit 2", false)
		wait(t.Context(), "commit 3", false)
		wait(t.Context(), "lease 1", true)
		wait(t.Context(), "lease 2", true)
		giveUp(errors.New("enough"))
		synctest.Wait()
		ts.give()
		synctest.Wait()
		if want := []string{"commit 2: context canceled", "lease 1", "commit 1", "lease 2", "commit 3"}; !slices.Equal(had, want) {
			t.Errorf("turns %q, want %q", had, want)
		}
		if err := ts.take(t.Context(), false); err != nil {
			t.Error(err)
		}
		ts.give()
	})
}

// TestATurnOfWhoGaveUp: a turn that comes to somebody who has just given up goes on to the next.
func TestATurnOfWhoGaveUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		for n := range 500 {
			var ts turns
			if err := ts.take(t.Context(), false); err != nil {
				t.Fatal(err)
			}
			ctx, giveUp := context.WithCancel(t.Context())
			go func() {
				if ts.take(ctx, false) == nil {
					ts.give()
				}
			}()
			synctest.Wait()
			giveUp()
			ts.give()
			synctest.Wait()
			if ts.taken {
				t.Fatalf("the %d. time nobody has the turn, and nobody gets it", n+1)
			}
		}
	})
}
