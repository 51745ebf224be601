// SPDX-License-Identifier: Apache-2.0

package pipeline

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"testing/synctest"

	"github.com/prometheus/client_golang/prometheus"

	"tocsin/correlate"
	"tocsin/incident"
	"tocsin/rules"
	"tocsin/store"
	"tocsin/stream"
)

// failing answers commits with errors, one after the other, then with none.
type failing struct {
	store.Store
	errs  []error
	tries int
}

func (s *failing) Commit(context.Context, store.Commit) error {
	if s.tries++; s.tries > len(s.errs) {
		return nil
	}
	return s.errs[s.tries-1]
}

// TestCommitWaitsForAStoreAndNotForever: a store that is away is waited for; a commit that no store can hold ends the
// owner, with the reason.
func TestCommitWaitsForAStoreAndNotForever(t *testing.T) {
	for _, tc := range []struct {
		name  string
		errs  []error
		tries int
		want  error
	}{
		{"the store is away for a while", []error{store.ErrUnavailable, errors.New("deadlock"), store.ErrUnavailable}, 4, nil},
		{"what no store can hold", []error{store.ErrUnavailable, store.ErrUnwritable, nil}, 2, store.ErrUnwritable},
		{"another owner", []error{store.ErrFenced, nil}, 1, errLost},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &failing{errs: tc.errs}
				o := &owner{
					OwnerConfig: OwnerConfig{
						Store: s, Streams: &stream.Streams{}, Metrics: NewCorrelateMetrics(prometheus.NewRegistry()), Log: slog.New(slog.DiscardHandler),
						Alerts: func(incident.View, incident.Change, []string) ([]store.OutboxItem, error) { return nil, nil },
					},
					engine: correlate.New(1, correlate.Limits{}), place: &Progress{}, stats: make(map[string]correlate.Stats), stepped: 1,
				}
				changes := correlate.Changes{Incidents: []incident.Incident{{ID: "x", Rule: &rules.Rule{ID: "r", Shadow: true}}}}
				if err := o.commit(t.Context(), changes, false); !errors.Is(err, tc.want) {
					t.Errorf("commit: %v, want %v", err, tc.want)
				}
				if s.tries != tc.tries {
					t.Errorf("tried %d times, want %d", s.tries, tc.tries)
				}
			})
		})
	}
}
