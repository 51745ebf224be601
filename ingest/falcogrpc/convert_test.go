// SPDX-License-Identifier: Apache-2.0

package falcogrpc_test

import (
	"testing"

	"github.com/falcosecurity/client-go/pkg/api/outputs"
	"github.com/falcosecurity/client-go/pkg/api/schema"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/types/known/timestamppb"

	"tocsin/ingest/falcogrpc"
)

// TestSnapshotEqualToHTTP: the counters of Falco's own metrics are the same values by either way; a text of digits stays one.
func TestSnapshotEqualToHTTP(t *testing.T) {
	t.Parallel()
	raw, err := falcogrpc.Record(&outputs.Response{
		Rule: "Falco internal: metrics snapshot", Source: "internal", Hostname: "node-a", Priority: schema.Priority_INFORMATIONAL,
		Output: "Falco metrics snapshot", Time: &timestamppb.Timestamp{Seconds: 1787307330},
		OutputFields: map[string]string{
			"falco.outputs_queue_num_drops": "41", "scap.n_drops": "7", "falco.version": "0.43.1", "falco.hostname": "1234",
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	const posted = `{"hostname":"node-a","output":"Falco metrics snapshot","output_fields":{"falco.hostname":"1234",` +
		`"falco.outputs_queue_num_drops":41,"falco.version":"0.43.1","scap.n_drops":7},"priority":"Informational",` +
		`"rule":"Falco internal: metrics snapshot","source":"internal","time":"2026-08-21T10:15:30.000000000Z"}`
	if d := cmp.Diff(posted, string(raw)); d != "" {
		t.Errorf("-http +grpc:\n%s", d)
	}
}
