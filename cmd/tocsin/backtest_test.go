// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"tocsin/api"
)

// TestRulesBacktest: a rule that is not in force is run over what was posted, beside one that is; what is wrong with it is said.
func TestRulesBacktest(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	s := serveHere(t, "sqlite:"+filepath.Join(data, "tocsin.db"), data, func(c *Config) {
		c.Rules = []string{writeFile(t, "r.yml", "rule: seen\ntitle: Seen\nseverity: low\nmatch: exists(user.name)\nby: [user.name]\n"+
			"---\nrule: thrice\ntitle: Three times\nseverity: low\nmatch: {a: exists(user.name)}\nwhen: count(a) >= 3\nby: [user.name]\nwithin: 10m\n")}
	})
	admin := s.node.cfg.API.Token
	for n := range 5 { // u0 three times, u1 twice
		s.post(numbered(n))
	}
	file := writeFile(t, "new.yml", "rule: often\ntitle: Often\nseverity: high\nmatch: {a: detection(\"seen\")}\nwhen: count(a) >= 3\nby: [user.name]\nwithin: 10m\n")
	out, errs, code := s.command(admin, "rules", "backtest", file, "--since", "1h", "-o", "json")
	var job api.Backtest
	if err := json.Unmarshal([]byte(out), &job); code != 0 || err != nil || job.Result == nil {
		t.Fatalf("%d %v\n%s%s", code, err, out, errs)
	}
	res := job.Result
	if job.Searched != 5 || job.Matched != 5 || res.IncidentCount != 1 || len(res.Incidents) != 1 || res.Incidents[0].Key["user.name"] != "u0" || res.Incidents[0].Severity != "high" {
		t.Errorf("%s", out)
	}
	if len(res.NearMisses) != 1 || res.NearMisses[0].Key["user.name"] != "u1" || res.NearMisses[0].Steps[0].Have != 2 {
		t.Errorf("near misses: %+v", res.NearMisses)
	}
	if out, errs, code := s.command(admin, "rules", "backtest", file); code != 0 || !strings.Contains(out, "user.name=u0") || !strings.Contains(out, "only 2 of 3") ||
		!strings.Contains(errs, "5 events searched, 5 matched: 1 incidents") {
		t.Errorf("%d\n%s%s", code, out, errs)
	}
	// One that is in force is replaced by what is posted.
	again := writeFile(t, "again.yml", "rule: seen\ntitle: Seen\nseverity: low\nmatch: user.name == \"u1\"\nby: [user.name]\n")
	if _, errs, code := s.command(admin, "rules", "backtest", again); code != 0 || !strings.Contains(errs, "5 events searched, 2 matched: 1 incidents") {
		t.Errorf("%d %s", code, errs)
	}
	bad := writeFile(t, "bad.yml", "rule: x\ntitle: X\nseverity: low\nmatch: usr.name == \"u1\"\n")
	if _, errs, code := s.command(admin, "rules", "backtest", bad); code != 1 || !strings.Contains(errs, "the rule is wrong") || !strings.Contains(errs, `did you mean "user.name"?`) {
		t.Errorf("%d %s", code, errs)
	}
	var st api.Status
	if s.get("/api/v1/status", &st); st.Rules != 2 {
		t.Errorf("%d rules are in force", st.Rules)
	}
	if code := s.get("/api/v1/backtests/none", nil); code != http.StatusNotFound {
		t.Errorf("of none: %d", code)
	}
	out, errs, code = s.command(admin, "rules", "near", "thrice")
	if code != 0 || !strings.Contains(out, "user.name=u1: ") || !strings.Contains(out, "only 2 of 3") || !strings.Contains(errs, "2 keys, since ") {
		t.Errorf("near: %d\n%s%s", code, out, errs)
	}
	if _, errs, code := s.command(admin, "rules", "near", "nothing"); code != 1 || !strings.Contains(errs, "no rule with this id") {
		t.Errorf("near of none: %d %s", code, errs)
	}
}
