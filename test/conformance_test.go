// SPDX-License-Identifier: Apache-2.0

package test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"tocsin/ingest"
	"tocsin/pipeline"
	"tocsin/rules"
)

// TestConformance runs the vectors of test/conformance, of which each statement of the semantics that can be said in
// events and detections has one.
func TestConformance(t *testing.T) {
	t.Parallel()
	names, err := filepath.Glob("conformance/*.yml")
	if err != nil || len(names) == 0 {
		t.Fatalf("%v, %v", names, err)
	}
	var files []rules.File
	for _, name := range names {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, rules.File{Name: name, Data: b})
	}
	set, err := rules.Compile(files)
	if err != nil {
		t.Fatal(err)
	}
	parser := ingest.NewParser(ingest.ParserConfig{})
	said := make(map[string]bool)
	for _, r := range set.Rules {
		statement, _, _ := strings.Cut(r.ID, "-")
		for _, x := range r.Tests {
			said[statement] = true
			if err := pipeline.RunTest(set, r, x, parser, 5*time.Minute); err != nil {
				t.Error(err)
			}
		}
	}
	page, err := os.ReadFile("conformance/README.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, statement := range []string{
		"P1", "P2", "P3", "P4", "P5", "P6", "W1", "W2", "W3", "W4", "K1", "K2", "K3", "K4", "F1", "F2", "F3", "F4", "F5",
		"A1", "A2", "A3", "A4", "A5", "C1", "C2", "C3", "C4", "B1", "B2", "I1", "I2", "I3", "I4", "I5", "I6", "E1", "E2", "E3",
		"R1", "R2", "R3", "S1", "S2", "S3", "S4", "S5", "S6", "S7", "S8",
	} {
		if !said[strings.ToLower(statement)] && !strings.Contains(string(page), statement) {
			t.Errorf("nothing says %s", statement)
		}
	}
	for _, m := range regexp.MustCompile("`([a-z/]+): (Test[A-Za-z]+)`").FindAllStringSubmatch(string(page), -1) {
		room, err := filepath.Glob(filepath.Join("..", m[1], "*_test.go"))
		if err != nil {
			t.Fatal(err)
		}
		found := false
		for _, name := range room {
			b, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			found = found || strings.Contains(string(b), "func "+m[2]+"(")
		}
		if !found {
			t.Errorf("%s has no %s", m[1], m[2])
		}
	}
}
