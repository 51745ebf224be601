// SPDX-License-Identifier: Apache-2.0

package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write docs/shipped-rules.md, and what the commands of docs/rules.md print")

var (
	lessonFile    = regexp.MustCompile("(?s)\n\\*\\*([a-z.]+)\\*\\*\n\n```[a-z]+\n(.*?)```\n")
	lessonConsole = regexp.MustCompile("(?s)```console\n(.*?)```\n")
)

// TestLesson: the files that docs/rules.md shows are what its commands read, and they print what it shows.
func TestLesson(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	text := page(t, "docs/rules.md")
	files := make(map[string]bool)
	for _, m := range lessonFile.FindAllStringSubmatch(text, -1) {
		files[m[1]] = true
		if err := os.WriteFile(filepath.Join(dir, m[1]), []byte(m[2]), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for name := range files {
		if filepath.Ext(name) == ".yml" && name != "mistake.yml" {
			if out, said, code := command("rules", "test", filepath.Join(dir, name)); code != 0 {
				t.Errorf("%s: %s%s", name, out, said)
			}
		}
	}
	n := 0
	got := lessonConsole.ReplaceAllStringFunc(text, func(block string) string {
		var out strings.Builder
		out.WriteString("```console\n")
		for line := range strings.Lines(block) {
			typed, ok := strings.CutPrefix(strings.TrimSpace(line), "$ tocsin ")
			if !ok {
				continue
			}
			n++
			out.WriteString(line)
			typed, _, quiet := strings.Cut(typed, " >")
			args := strings.Fields(typed)
			for i := range args {
				if files[args[i]] {
					args[i] = filepath.Join(dir, args[i])
				}
			}
			printed, said, _ := command(args...)
			if quiet {
				printed = ""
			}
			out.WriteString(strings.ReplaceAll(printed+said, dir+"/", ""))
		}
		return out.String() + "```\n"
	})
	if n < 8 {
		t.Errorf("the lesson has %d commands", n)
	}
	if got == text {
		return
	}
	if *update {
		if err := os.WriteFile("../../docs/rules.md", []byte(got), 0o644); err != nil { //nolint:gosec // a page for all
			t.Fatal(err)
		}
		return
	}
	want, have := strings.Split(text, "\n"), strings.Split(got, "\n")
	for i := range want {
		if i >= len(have) || want[i] != have[i] {
			t.Fatalf("docs/rules.md, line %d: it shows\n%s\nand the command prints\n%s", i+1, want[i], have[min(i, len(have)-1)])
		}
	}
}

// TestDocsListTheRules: docs/shipped-rules.md has the rules of rules.d.
func TestDocsListTheRules(t *testing.T) {
	t.Parallel()
	set, err := loadRules(t.Context(), []string{"../../rules.d"})
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	b.WriteString("# The rules that come with Tocsin\n\n" +
		"They are in `rules.d`, each with tests and a runbook. `go test ./cmd/tocsin -run Docs -update` writes this page.\n")
	file := ""
	for _, r := range set.Rules {
		if r.File != file {
			file = r.File
			fmt.Fprintf(&b, "\n## %s\n\n| rule | what it tells of | severity | ATT&CK | over |\n| --- | --- | --- | --- | --- |\n", filepath.Base(file))
		}
		over := "one event"
		if r.Within > 0 {
			over = spell(r.Within)
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s |\n", r.ID, r.Title, r.Severity, strings.Join(r.Attack, ", "), over)
	}
	const name = "../../docs/shipped-rules.md"
	if *update {
		if err := os.WriteFile(name, []byte(b.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if page(t, "docs/shipped-rules.md") != b.String() {
		t.Error("docs/shipped-rules.md is behind rules.d: run this test with -update")
	}
}
