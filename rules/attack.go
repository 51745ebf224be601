// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"regexp"
	"strings"
)

var techniqueID = regexp.MustCompile(`^T\d{4}(\.\d{3})?$`)

// attackTactics are the enterprise tactics of ATT&CK.
var attackTactics = map[string]string{
	"TA0043": "reconnaissance", "TA0042": "resource-development", "TA0001": "initial-access",
	"TA0002": "execution", "TA0003": "persistence", "TA0004": "privilege-escalation",
	"TA0005": "defense-evasion", "TA0006": "credential-access", "TA0007": "discovery",
	"TA0008": "lateral-movement", "TA0009": "collection", "TA0011": "command-and-control",
	"TA0010": "exfiltration", "TA0040": "impact",
}

// techniqueTactics has the tactics of techniques that rules name often. A technique that is not here adds
// no tactic: name the tactic beside it.
var techniqueTactics = map[string]string{
	"T1003": "credential-access", "T1021": "lateral-movement", "T1046": "discovery",
	"T1048": "exfiltration", "T1053": "execution persistence privilege-escalation", "T1059": "execution",
	"T1068": "privilege-escalation", "T1070": "defense-evasion", "T1071": "command-and-control",
	"T1078": "defense-evasion initial-access persistence privilege-escalation",
	"T1082": "discovery", "T1083": "discovery", "T1087": "discovery", "T1090": "command-and-control",
	"T1098": "persistence privilege-escalation", "T1105": "command-and-control", "T1110": "credential-access",
	"T1133": "initial-access persistence", "T1136": "persistence", "T1140": "defense-evasion",
	"T1190": "initial-access", "T1204": "execution", "T1485": "impact", "T1486": "impact", "T1490": "impact",
	"T1496": "impact", "T1499": "impact", "T1526": "discovery", "T1528": "credential-access",
	"T1530": "collection", "T1537": "exfiltration", "T1543": "persistence privilege-escalation",
	"T1548": "defense-evasion privilege-escalation", "T1550": "defense-evasion lateral-movement",
	"T1552": "credential-access", "T1555": "credential-access", "T1562": "defense-evasion",
	"T1565": "impact", "T1567": "exfiltration", "T1570": "lateral-movement",
	"T1574": "defense-evasion persistence privilege-escalation", "T1580": "discovery",
	"T1595": "reconnaissance", "T1609": "execution", "T1610": "defense-evasion execution",
	"T1611": "privilege-escalation", "T1612": "defense-evasion", "T1613": "discovery", "T1620": "defense-evasion",
}

// TacticsOf returns the tactics that tags of an event name, as a source writes them: Falco's mitre_credential_access and T1555, Sigma's
// attack.execution.
func TacticsOf(tags []string) []string {
	entries := make([]string, len(tags))
	for i, t := range tags {
		for _, prefix := range []string{"mitre_", "attack."} {
			t = strings.TrimPrefix(t, prefix)
		}
		t = strings.ReplaceAll(t, "_", "-")
		if u := strings.ToUpper(t); techniqueID.MatchString(u) || attackTactics[u] != "" {
			t = u
		}
		entries[i] = t
	}
	_, tactics, _ := attack(entries)
	return tactics
}

// attack sorts entries into techniques and tactics; unknown is the first that is neither.
func attack(entries []string) (techniques, tactics []string, unknown string) {
	seen := make(map[string]bool)
	add := func(names ...string) {
		for _, t := range names {
			if !seen[t] {
				seen[t] = true
				tactics = append(tactics, t)
			}
		}
	}
	names := make(map[string]bool)
	for _, t := range attackTactics {
		names[t] = true
	}
	for _, e := range entries {
		switch {
		case techniqueID.MatchString(e):
			techniques = append(techniques, e)
			id, _, _ := strings.Cut(e, ".")
			add(strings.Fields(techniqueTactics[id])...)
		case attackTactics[e] != "":
			add(attackTactics[e])
		case names[e]:
			add(e)
		case unknown == "":
			unknown = e
		}
	}
	return techniques, tactics, unknown
}
