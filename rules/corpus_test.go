// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"cmp"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tocsin/rules/pred"
)

// TestCorpusIsWithinBounds: of the public rules and those of rules.d none is more than half of what a bound allows, and
// none reads a part of a text that anybody would miss.
func TestCorpusIsWithinBounds(t *testing.T) {
	t.Parallel()
	dir := cmp.Or(os.Getenv("TOCSIN_CORPORA"), "../../shared/corpora")
	if _, err := os.Stat(dir); err != nil {
		t.Skipf("the corpora are not at %s: name them in TOCSIN_CORPORA", dir)
	}
	var files []File
	for _, root := range []string{filepath.Join(dir, "sigma"), "../rules.d"} {
		if err := filepath.WalkDir(root, func(path string, _ fs.DirEntry, err error) error {
			if err != nil || filepath.Ext(path) != ".yml" {
				return err
			}
			b, err := os.ReadFile(path)
			files = append(files, File{filepath.Base(path), b})
			return err
		}); err != nil {
			t.Fatal(err)
		}
	}
	var most yamlExtent
	bytes, deepest := 0, 0
	for _, f := range files {
		all, err := tokens(f.Data)
		if err != nil {
			t.Errorf("%s: %v", f.Name, err)
		}
		var x yamlExtent
		for _, tk := range all {
			x.beyond(tk)
			deepest = max(deepest, len(x.open))
		}
		bytes = max(bytes, len(f.Data))
		most.tokens, most.keys = max(most.tokens, x.tokens), max(most.keys, x.keys)
		most.documents, most.paths = max(most.documents, x.documents), max(most.paths, x.paths)
	}
	set, errs := CompileLenient(files)
	for _, err := range errs {
		if !strings.Contains(err.Error(), "the placeholder %") {
			t.Error(err)
		}
	}
	size, reach := 0, 1<<20
	for _, p := range set.places {
		n := p.site.rule.matcher.patterns[p.pattern]
		size = max(size, pred.Size(n))
		if r := pred.Reach(n); r > 0 && r < reach {
			reach = r
		}
	}
	t.Logf("%d rules", len(set.Rules))
	for _, b := range []struct {
		name          string
		largest, most int
	}{
		{"bytes of a file", bytes, MaxFile},
		{"keys, values and signs", most.tokens, maxYAMLTokens},
		{"keys", most.keys, maxYAMLKeys},
		{"documents", most.documents, maxDocuments},
		{"paths", most.paths, maxYAMLPaths},
		{"depth", deepest, maxYAMLDepth},
		{"bytes of a condition", size, pred.MaxSize},
		{"bytes that all read", 32 << 10, reach},
	} {
		t.Logf("%s: %d of %d", b.name, b.largest, b.most)
		if 2*b.largest > b.most {
			t.Errorf("%s: %d is more than half of %d", b.name, b.largest, b.most)
		}
	}
}
