// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"tocsin/api"
)

// TestWhoGoesAwayCancels: a backtest whose caller goes away while a question is on its way is cancelled, as between two.
func TestWhoGoesAwayCancels(t *testing.T) {
	t.Parallel()
	ctx, leave := context.WithCancel(t.Context())
	cancelled := make(chan string, 1)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodDelete {
			cancelled <- r.URL.Path
			w.WriteHeader(http.StatusNoContent)
			return
		}
		leave()
		<-r.Context().Done() // the answer does not come
	}))
	defer srv.Close()
	_, err := (&cli{stderr: io.Discard}).await(ctx, &client{base: srv.URL, token: "t"}, api.Backtest{ID: "j", State: "waiting"})
	if err == nil {
		t.Error("nobody said that it is not done")
	}
	select {
	case path := <-cancelled:
		if path != "/api/v1/backtests/j" {
			t.Errorf("cancelled %s", path)
		}
	default:
		t.Error("the job goes on")
	}
}
