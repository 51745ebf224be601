// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// edit changes a file of the standard library: it inserts text after a place, or at the end.
type edit struct {
	file, after, insert string
}

// hooks let a program's wall clock be set wrong, and let it say which system calls it has made.
var hooks = []edit{
	{"time/time.go", "func Now() Time {\n\tsec, nsec, mono := runtimeNow()\n", "\tsec += Wrong\n"},
	{"time/time.go", "", "\n// Wrong is by how many seconds the clock is wrong.\nvar Wrong int64\n"},
	{"syscall/syscall_linux.go", "RawSyscall6(trap, a1, a2, a3, 0, 0, 0)\n\truntime_exitsyscall()\n",
		"\tif Called != nil && err == 0 {\n\t\tCalled(trap, a1, a2, a3, 0, r1)\n\t}\n"},
	{"syscall/syscall_linux.go", "RawSyscall6(trap, a1, a2, a3, a4, a5, a6)\n\truntime_exitsyscall()\n",
		"\tif Called != nil && err == 0 {\n\t\tCalled(trap, a1, a2, a3, a4, r1)\n\t}\n"},
	{"syscall/syscall_linux.go", "", "\n// Called is called after a system call went well.\nvar Called func(trap, a1, a2, a3, a4, r1 uintptr)\n"},
}

// hookSource is added to a program: it has the clock be as wrong as a file says, and the disk watched.
const hookSource = `package main

import (
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"tocsin/test/chaos/disk"
)

func init() {
	syscall.Called = disk.Watch()
	name := os.Getenv("` + clockEnv + `")
	if name == "" {
		return
	}
	go func() {
		for {
			b, _ := os.ReadFile(name)
			if n, err := strconv.ParseInt(strings.TrimSpace(string(b)), 10, 64); err == nil {
				time.Wrong = n
			}
			time.Sleep(20 * time.Millisecond)
		}
	}()
}
`

// overlay makes an overlay for the go tool, with the hooks in the standard library and in programs; it returns its name.
func overlay(dir string, programs ...string) (string, error) {
	out, err := exec.Command("go", "list", "-f", "{{.Dir}}", "time", "tocsin/test/chaos").Output()
	if err != nil {
		return "", fmt.Errorf("go list: %w", err)
	}
	where := strings.Fields(string(out))
	std, root := filepath.Dir(where[0]), filepath.Join(where[1], "..", "..")
	files := make(map[string]string)
	for _, e := range hooks {
		name := filepath.Join(std, e.file)
		if files[name] == "" {
			b, err := os.ReadFile(name)
			if err != nil {
				return "", err
			}
			files[name] = string(b)
		}
		before, after, ok := strings.Cut(files[name], e.after)
		if e.after == "" {
			before, after, ok = files[name], "", true
		}
		if !ok {
			return "", fmt.Errorf("%s of this Go is another: clocks cannot be set wrong, nor the power fail", e.file)
		}
		files[name] = before + e.after + e.insert + after
	}
	for _, p := range programs {
		files[filepath.Join(root, p, "zz_hooks.go")] = hookSource
	}
	replace := make(map[string]string)
	for path, text := range files {
		name := filepath.Join(dir, fmt.Sprintf("overlay-%d.go", len(replace)))
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			return "", err
		}
		replace[path] = name
	}
	b, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return "", err
	}
	name := filepath.Join(dir, "overlay.json")
	return name, os.WriteFile(name, b, 0o600)
}
