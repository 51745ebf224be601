// SPDX-License-Identifier: Apache-2.0

package api_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"testing"

	"tocsin/api"
	"tocsin/incident"
)

// large has an incident of records of a megabyte without end.
type large struct{ *fake }

func (large) Evidence(_ context.Context, _ string, limit int, _ string) ([]incident.EvidenceItem, string, error) {
	raw := append(append([]byte{'"'}, bytes.Repeat([]byte("x"), 1<<20)...), '"')
	out := make([]incident.EvidenceItem, limit)
	for i := range out {
		out[i] = incident.EvidenceItem{EventID: fmt.Sprint(i), Raw: raw}
	}
	return out, "more", nil
}

// TestAnExportIsBounded: what an answer is made of does not grow with the records of an incident; that there are more it says.
func TestAnExportIsBounded(t *testing.T) {
	t.Parallel()
	c := config(&fake{})
	c.Backend = large{&fake{}}
	w := ask(api.New(c), http.MethodGet, "/api/v1/incidents/"+known+"/export", "")
	var x struct {
		Evidence     []json.RawMessage
		MoreEvidence bool `json:"more_evidence"`
	}
	if err := json.Unmarshal(w.Body.Bytes(), &x); err != nil || len(x.Evidence) != 100 || !x.MoreEvidence {
		t.Errorf("%d: %v, %d pieces of evidence, more %v", w.Code, err, len(x.Evidence), x.MoreEvidence)
	}
}

// TestRetractionsAreFollowed: whoever follows detections hears of one that is retracted, though the list no longer has its incident.
func TestRetractionsAreFollowed(t *testing.T) {
	t.Parallel()
	f := &fake{}
	ask(handler(f), http.MethodGet, "/api/v1/detections/stream?status=new", "")
	if !f.filter.IncludeRetracted || len(f.filter.Status) != 1 || len(f.filter.IDs) != 1 {
		t.Errorf("asked for is %+v", f.filter)
	}
}
