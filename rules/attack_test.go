// SPDX-License-Identifier: Apache-2.0

package rules_test

import (
	"slices"
	"testing"

	"tocsin/rules"
)

// TestTacticsOf: tags of events, as the sources that have some write them.
func TestTacticsOf(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ tags, want []string }{
		{nil, nil},
		{[]string{"container", "host", "maturity_stable"}, nil},
		{[]string{"mitre_credential_access", "T1555"}, []string{"credential-access"}},
		{[]string{"mitre_privilege_escalation", "filesystem", "T1611"}, []string{"privilege-escalation"}},
		{[]string{"attack.lateral_movement", "attack.t1021.002"}, []string{"lateral-movement"}},
		{[]string{"attack.lateral-movement", "TA0003", "T1110.001"}, []string{"lateral-movement", "persistence", "credential-access"}},
	} {
		if got := rules.TacticsOf(tt.tags); !slices.Equal(got, tt.want) {
			t.Errorf("%q: %q, want %q", tt.tags, got, tt.want)
		}
	}
}
