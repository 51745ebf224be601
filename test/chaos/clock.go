// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// clockEnv names the file with the seconds by which a process's clock is wrong.
const clockEnv = "CHAOS_CLOCK"

// maxJump is how far a clock jumps at the most.
const maxJump = 8 * time.Second

// clockSource is added to a program: it reads the file again and again.
const clockSource = `package main

import (
	"os"
	"strconv"
	"strings"
	"time"
)

func init() {
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

// wrongClocks makes an overlay for the go tool: of a time package whose wall clock can be set wrong, and of programs
// that let it be.
func wrongClocks(dir string, programs ...string) (string, error) {
	out, err := exec.Command("go", "list", "-f", "{{.Dir}}", "time", "tocsin/test/chaos").Output()
	if err != nil {
		return "", fmt.Errorf("go list: %w", err)
	}
	where := strings.Fields(string(out))
	original := filepath.Join(where[0], "time.go")
	src, err := os.ReadFile(original)
	if err != nil {
		return "", err
	}
	const now = "\tsec, nsec, mono := runtimeNow()\n"
	at := strings.Index(string(src), "func Now() Time {\n"+now)
	if at < 0 {
		return "", errors.New("time.Now of this Go is another: clocks cannot be set wrong")
	}
	at += len("func Now() Time {\n" + now)
	changed := string(src[:at]) + "\tsec += Wrong\n" + string(src[at:]) + "\n// Wrong is by how many seconds the clock is wrong.\nvar Wrong int64\n"
	files := map[string]string{original: changed}
	for _, p := range programs {
		files[filepath.Join(where[1], "..", "..", p, "zz_clock.go")] = clockSource
	}
	replace := make(map[string]string)
	for path, text := range files {
		name := filepath.Join(dir, fmt.Sprintf("overlay-%d.go", len(replace)))
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			return "", err
		}
		replace[filepath.Clean(path)] = name
	}
	b, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return "", err
	}
	name := filepath.Join(dir, "overlay.json")
	return name, os.WriteFile(name, b, 0o600)
}

// clockFile is where the process reads by how much its clock is wrong.
func (p *process) clockFile() string { return filepath.Join(p.dir, p.name+".clock") }

// jumpFor sets the process's wall clock wrong for a time.
func (p *process) jumpFor(seconds int64, d time.Duration) error {
	set := func(n int64) error {
		return os.WriteFile(p.clockFile(), []byte(strconv.FormatInt(n, 10)), 0o600)
	}
	if err := set(seconds); err != nil {
		return err
	}
	time.Sleep(d)
	return set(0)
}

// jump draws a jump of a clock.
func jump(r *rand.Rand, p *process) fault {
	seconds := r.Int64N(2*int64(maxJump/time.Second)+1) - int64(maxJump/time.Second)
	d := time.Duration(r.Int64N(int64(6 * time.Second)))
	return fault{fmt.Sprintf("set the clock of %s wrong by %d s for %v", p.name, seconds, d), func(*world) error { return p.jumpFor(seconds, d) }}
}
