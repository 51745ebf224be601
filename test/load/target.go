// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// target is a process that events are sent to.
type target struct {
	name       string
	cmd        *exec.Cmd
	post       string
	api, token string
	settled    func() error                             // waits until all that was sent is decided
	incident   func(host string) (bool, error)          // nil: not asked
	profile    func(file string, d time.Duration) error // nil: has none
}

// status is what the API says of how far it is.
type status struct {
	Clock        time.Time
	MatchLag     uint64 `json:"match_lag"`
	CorrelateLag uint64 `json:"correlate_lag"`
}

func (t *target) status() (s status, err error) {
	err = t.ask("/api/v1/status", &s)
	return s, err
}

func (t *target) matchLag() (uint64, error) {
	s, err := t.status()
	return s.MatchLag, err
}

// ask asks the API.
func (t *target) ask(path string, into any) error {
	req, err := http.NewRequest(http.MethodGet, t.api+path, nil)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+t.token)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return errors.New(resp.Status)
	}
	return json.NewDecoder(resp.Body).Decode(into)
}

func build(dir string) (string, error) {
	program := filepath.Join(dir, "tocsin")
	if out, err := exec.Command("go", "build", "-o", program, "tocsin/cmd/tocsin").CombinedOutput(); err != nil {
		return "", fmt.Errorf("build: %w\n%s", err, out)
	}
	return program, nil
}

// startTocsin starts it with SQLite, or with the PostgreSQL that TOCSIN_TEST_POSTGRES names.
func startTocsin(dir, rules string) (*target, error) {
	program, err := build(dir)
	if err != nil {
		return nil, err
	}
	at, err := addresses(3)
	if err != nil {
		return nil, err
	}
	t := &target{name: "tocsin, SQLite", post: "http://" + at[0] + "/ingest/vector"}
	t.cmd = command(program, "serve")
	t.cmd.Env = append(os.Environ(), "TOCSIN_DATA="+filepath.Join(dir, "data"), "TOCSIN_RULES="+rules, "TOCSIN_VECTOR_LISTEN=off",
		"TOCSIN_INGEST_LISTEN="+at[0], "TOCSIN_API_LISTEN="+at[1], "TOCSIN_ADMIN_LISTEN="+at[2])
	if pg := os.Getenv("TOCSIN_TEST_POSTGRES"); pg != "" {
		t.name = "tocsin, PostgreSQL"
		t.cmd.Env = append(t.cmd.Env, "TOCSIN_STORE_URL="+pg)
	}
	if err := t.cmd.Start(); err != nil {
		return nil, err
	}
	if err := until(time.Minute, func() (bool, error) {
		return answers("http://" + at[2] + "/readyz")
	}); err != nil {
		return nil, fmt.Errorf("tocsin is not ready: %w", err)
	}
	token, err := os.ReadFile(filepath.Join(dir, "data", "admin-token"))
	if err != nil {
		return nil, err
	}
	t.api, t.token = "http://"+at[1], strings.TrimSpace(string(token))
	t.settled = func() error {
		begin := time.Now()
		return until(10*time.Minute, func() (bool, error) {
			s, err := t.status()
			return s.MatchLag == 0 && s.CorrelateLag == 0 && s.Clock.After(begin), err
		})
	}
	t.incident = func(host string) (bool, error) {
		var page struct{ Items []any }
		err := t.ask("/api/v1/incidents?limit=1&q="+host, &page)
		return len(page.Items) > 0, err
	}
	t.profile = func(file string, d time.Duration) error {
		resp, err := http.Get(fmt.Sprintf("http://%s/debug/pprof/profile?seconds=%d", at[2], int(d.Seconds())))
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		data, err := io.ReadAll(resp.Body)
		if err != nil {
			return err
		}
		return os.WriteFile(file, data, 0o600)
	}
	return t, nil
}

// startRsigma starts its daemon: events over HTTP, what it finds to a file.
func startRsigma(dir, rules string) (*target, error) {
	at, err := addresses(1)
	if err != nil {
		return nil, err
	}
	t := &target{name: "rsigma", post: "http://" + at[0] + "/api/v1/events"}
	t.cmd = exec.Command("rsigma", "engine", "daemon", "--rules", rules, "--input", "http", "--api-addr", at[0],
		"--output", "file://"+filepath.Join(dir, "rsigma.out"), "--quiet")
	if err := t.cmd.Start(); err != nil {
		return nil, err
	}
	if err := until(time.Minute, func() (bool, error) { return answers("http://" + at[0] + "/readyz") }); err != nil {
		return nil, fmt.Errorf("rsigma is not ready: %w", err)
	}
	t.settled = func() error { // its queue is empty once it has no work left
		last := time.Duration(-1)
		return until(10*time.Minute, func() (bool, error) {
			time.Sleep(200 * time.Millisecond)
			now := t.usage().processor
			idle := now-last < 10*time.Millisecond
			last = now
			return idle, nil
		})
	}
	return t, nil
}

func (t *target) stop() error {
	if err := t.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	return t.cmd.Wait()
}

// usage is what a process has used: time of all processors, and bytes at its peak.
type usage struct {
	processor time.Duration
	peak      int64
}

func (t *target) usage() usage { return usageOf(t.cmd.Process.Pid) }

func usageOf(pid int) usage {
	var u usage
	// proc(5): utime and stime are the 14th and 15th field, in ticks of which a second has 100; the second field is in brackets.
	stat, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if _, rest, ok := strings.Cut(string(stat), ") "); ok {
		if f := strings.Fields(rest); len(f) > 13 {
			user, _ := strconv.Atoi(f[11])
			system, _ := strconv.Atoi(f[12])
			u.processor = time.Duration(user+system) * 10 * time.Millisecond
		}
	}
	status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if _, rest, ok := strings.Cut(string(status), "VmHWM:"); ok {
		if f := strings.Fields(rest); len(f) > 0 {
			kib, _ := strconv.ParseInt(f[0], 10, 64)
			u.peak = kib << 10
		}
	}
	return u
}

// ownTime is the processor time of this program, which sends.
func ownTime() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func answers(url string) (bool, error) {
	resp, err := http.Get(url)
	if err != nil {
		return false, err
	}
	_ = resp.Body.Close()
	return resp.StatusCode == http.StatusOK, nil
}

// until asks until it is so.
func until(d time.Duration, is func() (bool, error)) error {
	end := time.Now().Add(d)
	for {
		ok, err := is()
		if err == nil && ok {
			return nil
		}
		if time.Now().After(end) {
			return errors.Join(errors.New("it took too long"), err)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// addresses were free a moment ago.
func addresses(n int) ([]string, error) {
	var out []string
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer l.Close()
		out = append(out, l.Addr().String())
	}
	return out, nil
}
