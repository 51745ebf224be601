// SPDX-License-Identifier: Apache-2.0

package api_test

import (
	"net/http"
	"strings"
	"testing"
)

// TestDeliveriesAreFollowed: those that are wanted, from now on or after a mark that is not this one's own.
func TestDeliveriesAreFollowed(t *testing.T) {
	t.Parallel()
	for query, told := range map[string]bool{
		"": true, "?receiver=ops": true, "?receiver=other": false, "?outcome=retry&outcome=sent": true, "?outcome=retry": false, "?outcome=dead&receiver=ops": false,
	} {
		w := ask(handler(&fake{}), http.MethodGet, "/api/v1/alerts/stream"+query, "")
		want := "id: 0.aa\n\nid: 1.bb\n"
		if told {
			want += "event: delivery\ndata: {\"incident\":{\"id\":\"" + known + "\",\"title\":\""
		}
		if got := w.Body.String(); w.Code != http.StatusOK || !strings.Contains(got, want) || strings.Contains(got, "delivery") != told {
			t.Errorf("%q: %d %s", query, w.Code, got)
		}
	}
	if w := ask(handler(&fake{}), http.MethodGet, "/api/v1/alerts/stream?outcome=lost", ""); w.Code != http.StatusUnprocessableEntity {
		t.Errorf("an outcome that is none: %d %s", w.Code, w.Body)
	}
}
