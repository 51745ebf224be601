// SPDX-License-Identifier: Apache-2.0

package test

import (
	"go/ast"
	"go/parser"
	"go/token"
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
	records := ingest.NewParser(ingest.ParserConfig{})
	said := make(map[string]bool)
	for _, r := range set.Rules {
		statement, _, _ := strings.Cut(r.ID, "-")
		for _, x := range r.Tests {
			said[statement] = true
			if err := pipeline.RunTest(t.Context(), set, r, x, records, 5*time.Minute); err != nil {
				t.Error(err)
			}
		}
	}
	rows := named(t, "conformance/README.md")
	for statement := range strings.FieldsSeq(statements) {
		if !said[strings.ToLower(statement)] && len(rows[statement]) == 0 {
			t.Errorf("no vector and no test says %s", statement)
		}
		for _, test := range rows[statement] {
			if !hasTest(t, test.room, test.name) {
				t.Errorf("%s is to be shown by %s in %s, which there is not", statement, test.name, test.room)
			}
		}
		delete(rows, statement)
	}
	for statement := range rows {
		t.Errorf("there is no statement %s", statement)
	}
}

// statements are those of the semantics.
const statements = `P1 P2 P3 P4 P5 P6 W1 W2 W3 W4 K1 K2 K3 K4 F1 F2 F3 F4 F5 A1 A2 A3 A4 A5 C1 C2 C3 C4 B1 B2
I1 I2 I3 I4 I5 I6 E1 E2 E3 R1 R2 R3 S1 S2 S3 S4 S5 S6 S7 S8`

type testName struct{ room, name string }

// named reads the table of a page: the tests of each statement.
func named(t *testing.T, page string) map[string][]testName {
	t.Helper()
	b, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	out := make(map[string][]testName)
	for _, row := range regexp.MustCompile(`(?m)^\| ([A-Z][0-9]) \| [^|]+ \| ([^|]+) \|$`).FindAllStringSubmatch(string(b), -1) {
		out[row[1]] = nil // a row that names no test is found wanting
		for _, code := range regexp.MustCompile("`([^`]*)`").FindAllStringSubmatch(row[2], -1) {
			room, name, _ := strings.Cut(code[1], ": ")
			out[row[1]] = append(out[row[1]], testName{room, name})
		}
	}
	return out
}

// hasTest reports whether a room declares a function that takes a *testing.T.
func hasTest(t *testing.T, room, name string) bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("..", room, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		tree, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range tree.Decls {
			f, ok := d.(*ast.FuncDecl)
			if !ok || f.Name.Name != name || f.Recv != nil || len(f.Type.Params.List) == 0 {
				continue
			}
			if star, ok := f.Type.Params.List[0].Type.(*ast.StarExpr); ok {
				if at, ok := star.X.(*ast.SelectorExpr); ok && at.Sel.Name == "T" {
					return true
				}
			}
		}
	}
	return false
}
