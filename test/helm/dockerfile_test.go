// SPDX-License-Identifier: Apache-2.0

package helm_test

import (
	"debug/elf"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// instructions are those of the Dockerfile, continued lines joined.
func instructions(t *testing.T) [][]string {
	t.Helper()
	var out [][]string
	text := strings.ReplaceAll(read(t, "Dockerfile"), "\\\n", " ")
	for line := range strings.Lines(text) {
		if f := strings.Fields(line); len(f) > 0 && f[0] != "#" {
			out = append(out, f)
		}
	}
	return out
}

// TestDockerfile: it builds with the Go of go.mod and a Node.js that the console's build takes, what it copies is there, and its result is
// one static program from scratch, whose user and directories are those of the chart.
func TestDockerfile(t *testing.T) {
	version := regexp.MustCompile(`(?m)^go (\d+\.\d+)`).FindStringSubmatch(read(t, "go.mod"))[1]
	stages, last := make(map[string]string), map[string]string{}
	ignored := strings.Fields(read(t, ".dockerignore"))
	var own []string // of the context
	for _, f := range instructions(t) {
		args := slices.DeleteFunc(slices.Clone(f[1:]), func(a string) bool { return strings.HasPrefix(a, "--") })
		switch f[0] {
		case "FROM":
			name := args[0]
			if len(args) == 3 {
				name = args[2]
			}
			stages[name] = args[0]
			last = map[string]string{}
		case "COPY":
			if !strings.HasPrefix(f[1], "--from=") {
				own = append(own, args[:len(args)-1]...)
			}
		default:
			last[f[0]] = strings.Join(args, " ")
		}
	}
	if !strings.HasPrefix(stages["build"], "golang:"+version+"-") {
		t.Errorf("it builds with %s, and go.mod says go %s", stages["build"], version)
	}
	if !regexp.MustCompile(`^node:(18|2\d)-`).MatchString(stages["console"]) {
		t.Errorf("the console is built with %s", stages["console"])
	}
	for _, path := range own {
		if _, err := os.Stat(filepath.Join(root, path)); err != nil || slices.Contains(ignored, path) {
			t.Errorf("it copies %s, which is not there or is left out by .dockerignore: %v", path, err)
		}
	}
	if _, ok := stages["scratch"]; !ok || last["USER"] != "65532:65532" || last["ENTRYPOINT"] != `["/tocsin"]` || last["CMD"] != `["serve"]` || last["VOLUME"] != "/data" {
		t.Errorf("the image is %v", last)
	}
	// What go build needs is in the context: packages, and what they embed.
	list := exec.Command("go", "list", "-deps", "-f", `{{if not .Standard}}{{if .Module.Main}}{{$d := .Dir}}{{range .GoFiles}}{{$d}}/{{.}} {{end}}{{range .EmbedFiles}}{{$d}}/{{.}} {{end}}{{end}}{{end}}`, "./cmd/tocsin")
	list.Dir = root
	out, err := list.Output()
	if err != nil {
		t.Fatal(err)
	}
	top, err := filepath.Abs(root)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, file := range strings.Fields(string(out)) {
		n++
		file = strings.TrimPrefix(file, top+"/")
		for _, path := range ignored {
			// The console comes from the stage before.
			if strings.HasPrefix(file, path+"/") && !strings.HasPrefix(path, "console/dist/") {
				t.Errorf(".dockerignore leaves out %s, which the build needs", file)
			}
		}
	}
	if n < 100 {
		t.Errorf("the build needs %d files", n)
	}
}

// TestStaticBinary: what the Dockerfile builds needs no other file of the system.
func TestStaticBinary(t *testing.T) {
	f, err := elf.Open(binary)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	libraries, err := f.ImportedLibraries()
	if err != nil || len(libraries) > 0 || slices.ContainsFunc(f.Progs, func(p *elf.Prog) bool { return p.Type == elf.PT_INTERP }) {
		t.Errorf("it wants %v, or an interpreter: %v", libraries, err)
	}
	out, err := exec.Command(binary, "version").Output()
	if err != nil || string(out) != "tocsin "+image+"\n" {
		t.Errorf("version: %q %v", out, err)
	}
}
