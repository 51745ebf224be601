// SPDX-License-Identifier: Apache-2.0

package rules_test

import (
	"cmp"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"tocsin/rules"
)

// BenchmarkLoad compiles all public Sigma rules: one iteration is one load.
func BenchmarkLoad(b *testing.B) {
	dir := filepath.Join(cmp.Or(os.Getenv("TOCSIN_CORPORA"), "../../shared/corpora"), "sigma")
	var files []rules.File
	if err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(path) != ".yml" {
			return err
		}
		data, err := os.ReadFile(path)
		files = append(files, rules.File{Name: path, Data: data})
		return err
	}); err != nil {
		b.Skipf("the corpora are not at %s: name them in TOCSIN_CORPORA", dir)
	}
	for b.Loop() {
		set, _ := rules.CompileLenient(files)
		if len(set.Rules) < 3000 {
			b.Fatalf("%d rules", len(set.Rules))
		}
	}
}
