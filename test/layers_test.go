// SPDX-License-Identifier: Apache-2.0

// Package test has what is about the whole house.
package test

import (
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"
)

// mayImport is the rule of the rooms: imports run one way.
var mayImport = map[string][]string{
	"event":      {},
	"migrations": {},
	"console":    {},
	"ingest":     {"event"},
	"stream":     {"event"},
	"rules":      {"event"},
	"incident":   {"event", "rules"},
	"correlate":  {"event", "rules", "incident"},
	"alert":      {"event", "incident"},
	"proof":      {"event"},
	"store":      {"event", "rules", "correlate", "incident", "alert", "migrations", "proof"},
	"api":        {"event", "rules", "incident", "alert", "proof"},
	"pipeline":   {"event", "ingest", "stream", "rules", "incident", "correlate", "alert", "store", "proof"},
}

func TestImportsRunOneWay(t *testing.T) {
	t.Parallel()
	files := 0
	err := filepath.WalkDir("..", func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		room, _, _ := strings.Cut(filepath.ToSlash(strings.TrimPrefix(path, "../")), "/")
		allowed, known := mayImport[room]
		if room == "cmd" || room == "test" || room == "tools" {
			return nil
		}
		if !known {
			t.Errorf("%s is in no room of the design", path)
			return nil
		}
		files++
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		for _, spec := range f.Imports {
			name := strings.Trim(spec.Path.Value, `"`)
			inner, ours := strings.CutPrefix(name, "tocsin/")
			if !ours {
				continue
			}
			to, _, _ := strings.Cut(inner, "/")
			ok := to == room
			for _, a := range allowed {
				ok = ok || to == a
			}
			if !ok {
				t.Errorf("%s imports %s: %s may import only %v", path, name, room, allowed)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if files < 20 {
		t.Fatalf("only %d files were looked at", files)
	}
}
