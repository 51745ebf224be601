// SPDX-License-Identifier: Apache-2.0

package ingest_test

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"tocsin/event"
	"tocsin/ingest"
)

// TestRate: a token may send its rate; a batch above it passes, and is paid back before the next one does. Other tokens do
// not wait for it.
func TestRate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		taken := 0
		h := ingest.NewHandler(ingest.HandlerConfig{
			Commit:     func(_ context.Context, recs []event.Record) error { taken += len(recs); return nil },
			Quarantine: func(context.Context, []ingest.Quarantined) error { return nil },
			Access:     ingest.Access{Tokens: []ingest.Token{{Name: "slow", Value: "s", Rate: 10}, {Name: "free", Value: "f"}}},
			Log:        slog.New(slog.DiscardHandler),
		})
		post := func(token string, records int) (int, string) {
			body := strings.Repeat("{\"a\":1}\n", records)
			r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/ingest/app", strings.NewReader(body))
			r.Header.Set("Authorization", "Bearer "+token)
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			_, _ = io.Copy(io.Discard, w.Body)
			return w.Code, w.Header().Get("Retry-After")
		}
		expect := func(token string, records, code int, after string) {
			t.Helper()
			if got, wait := post(token, records); got != code || wait != after {
				t.Errorf("%d records of %s: %d, Retry-After %q; want %d and %q", records, token, got, wait, code, after)
			}
		}
		expect("s", 35, 200, "") // 25 too many
		expect("s", 1, 429, "3")
		expect("f", 100, 200, "")
		time.Sleep(2 * time.Second)
		expect("s", 1, 429, "1")
		time.Sleep(time.Second)
		expect("s", 1, 200, "")
		time.Sleep(time.Hour) // what was not sent is not saved up
		expect("s", 10, 200, "")
		expect("s", 1, 429, "1")
		if taken != 35+100+1+10 {
			t.Errorf("%d records were taken", taken)
		}
	})
}
