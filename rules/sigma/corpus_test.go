// SPDX-License-Identifier: Apache-2.0

package sigma_test

import (
	"bufio"
	"cmp"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"

	"tocsin/event"
	"tocsin/ingest"
	"tocsin/rules/pred"
	"tocsin/rules/sigma"
)

// corpus returns the folder of the public rules and events, and skips the test, saying so, where they are not.
func corpus(t testing.TB) string {
	t.Helper()
	dir := cmp.Or(os.Getenv("TOCSIN_CORPORA"), "../../../shared/corpora")
	if _, err := os.Stat(dir); err != nil {
		t.Skipf("the corpora are not at %s: name them in TOCSIN_CORPORA", dir)
	}
	return filepath.Join(dir, "sigma")
}

// load reads all rules of the corpus; broken are the files that do not load, and why.
func load(t testing.TB) (rules []*sigma.Rule, broken map[string]error) {
	t.Helper()
	config, err := sigma.Default()
	if err != nil {
		t.Fatal(err)
	}
	broken = make(map[string]error)
	if err := filepath.WalkDir(corpus(t), func(path string, _ fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(path) != ".yml" {
			return err
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		f, bad := parser.ParseBytes(b, 0)
		if bad != nil {
			broken[path] = bad
			f = &ast.File{}
		}
		for _, doc := range f.Docs {
			m, ok := doc.Body.(*ast.MappingNode)
			if !ok {
				continue
			}
			r, err := sigma.ReadRule(m, config)
			if err != nil {
				broken[path] = err
				continue
			}
			rules = append(rules, r)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return rules, broken
}

// TestCorpusLoads: of the public rules at least 99.5 % load, and each other one says why not.
func TestCorpusLoads(t *testing.T) {
	t.Parallel()
	rules, broken := load(t)
	t.Logf("%d rules load, %d do not", len(rules), len(broken))
	for path, err := range broken {
		t.Logf("%s: %v", filepath.Base(path), err)
	}
	if all := len(rules) + len(broken); all < 3700 || float64(len(rules)) < 0.995*float64(all) {
		t.Errorf("only %d of %d rules load", len(rules), all)
	}
	for _, r := range rules {
		if !r.Known {
			t.Logf("no log source %s: %s", r.Logsource, r.Title)
		}
	}
}

// TestRegressionEventsFire: each rule of which there are recorded events fires on one of them at least.
func TestRegressionEventsFire(t *testing.T) {
	t.Parallel()
	rules, _ := load(t)
	byID := make(map[string]*sigma.Rule)
	for _, r := range rules {
		byID[r.ID] = r
	}
	f, err := os.Open(filepath.Join(corpus(t), "regression.ndjson"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	wanted, fired := make(map[string]bool), make(map[string]bool)
	others := make(map[string][]string)
	in := bufio.NewScanner(f)
	in.Buffer(nil, 1<<22)
	conds := make([]pred.Node, len(rules))
	for i, r := range rules {
		conds[i] = r.Condition()
	}
	run := pred.Compile(conds).NewRun()
	p := ingest.NewParser(ingest.ParserConfig{})
	for in.Scan() {
		e, err := p.Parse(event.Record{Input: "in", Source: "vector", Raw: slices.Clone(in.Bytes())}, 1)
		if err != nil {
			t.Fatal(err)
		}
		id, _, _ := strings.Cut(e.EventID, "#")
		wanted[id] = true
		for _, i := range run.Match(e) {
			if rules[i].ID == id {
				fired[id] = true
			} else {
				others[e.EventID] = append(others[e.EventID], rules[i].Title)
			}
		}
	}
	for id := range wanted {
		r := byID[id]
		switch {
		case r == nil:
			t.Errorf("rule %s did not load", id)
		case !fired[id]:
			t.Errorf("%s (%s, %s) does not fire", r.Title, id, r.Logsource)
		}
	}
	if len(wanted) != 104 {
		t.Errorf("%d rules, not the 104 that the public rules have events for", len(wanted))
	}
	for id, o := range others {
		t.Logf("%s: also %s", id, strings.Join(o, "; "))
	}
}
