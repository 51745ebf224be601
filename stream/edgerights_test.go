// SPDX-License-Identifier: Apache-2.0

package stream_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/nats-io/nats-server/v2/server"

	"tocsin/event"
	"tocsin/stream"
	"tocsin/stream/natstest"
)

// TestEveryRightOfAnEdgeIsNeeded: with the rights that docs/nats.md gives an edge it hands over all that it took, also after a restart;
// without one of them something stays, and the subject is named. It goes on taking records in.
func TestEveryRightOfAnEdgeIsNeeded(t *testing.T) {
	t.Parallel()
	publish, subscribe := rights(t, edgeUser)
	if len(publish) < 5 || len(subscribe) != 1 {
		t.Fatalf("docs/nats.md has %d subjects to publish to and %d to subscribe to", len(publish), len(subscribe))
	}
	whole, inbox := rights(t, wholeUser)
	for i := range len(publish) + 1 {
		missing, rest := "", publish
		if i < len(publish) {
			missing = publish[i].(string)
			rest = append(append([]any{}, publish[:i]...), publish[i+1:]...)
		}
		t.Run(strings.NewReplacer("/", "_", "$", "").Replace("without "+missing), func(t *testing.T) {
			t.Parallel()
			servers, cfg := 1, small()
			if strings.Contains(missing, "MSG.GET") {
				servers, cfg.Replicas = 3, 3 // what one server keeps is read otherwise
			}
			c := natstest.Start(t, servers, func(o *server.Options) {
				permit(t, o, map[string]any{"one": map[string]any{"jetstream": "enabled", "users": []any{
					account("all", whole, inbox)["users"].([]any)[0], account("edge", rest, subscribe)["users"].([]any)[0],
				}}})
			})
			s, err := connect(t.Context(), t, c, cfg)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := s.NameSet(t.Context(), "set"); err != nil {
				t.Fatal(err)
			}
			dir, url := t.TempDir(), strings.ReplaceAll(c.URL(), "nats://", "nats://edge:secret@")
			var refused *stream.RefusedError
			n := 0
			for range 2 { // the second has to ask how far the first got
				e := openEdge(t, dir, 64<<20)
				f := e.forward(url)
				if err := e.Quarantine(t.Context(), []stream.Quarantined{{Record: record(1), Reason: "odd"}}); err != nil {
					t.Fatal(err)
				}
				if err := e.commit.Commit(t.Context(), []event.Record{record(n)}); err != nil {
					t.Fatal(err)
				}
				n++
				eventually(t, func() error {
					if errors.As(f.Away(), &refused) {
						return nil
					}
					st, err := e.State(context.Background())
					if err == nil && st.Messages > 0 {
						err = fmt.Errorf("%d messages wait: %w", st.Messages, f.Away())
					}
					return err
				})
				e.close()
			}
			switch {
			case missing == "" && refused == nil:
				_, records := arrived(t, s)
				inOrder(t, records, n)
			case missing == "":
				t.Error(refused)
			case refused == nil:
				t.Error("nothing is refused: docs/nats.md gives more than is needed")
			case !covers(missing, refused.Subject):
				t.Errorf("without %s: %v", missing, refused)
			}
		})
	}
}
