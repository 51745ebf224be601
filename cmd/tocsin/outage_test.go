// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"golang.org/x/sys/unix"

	"tocsin/store"
	"tocsin/store/open"
)

// database is a PostgreSQL server of a test's own, that it can stop and start.
type database struct {
	t        *testing.T
	url, ctl string
}

func ownDatabase(t *testing.T) *database {
	t.Helper()
	cmd := exec.Command("../../scripts/with-postgres", "sh", "-c", `echo "$TOCSIN_TEST_POSTGRES"; echo "$TOCSIN_TEST_POSTGRES_CTL"; cat`)
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "TOCSIN_TEST_POSTGRES") {
			cmd.Env = append(cmd.Env, v)
		}
	}
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = stdin.Close() // its end is the end of cat
		_ = cmd.Wait()
	})
	lines := bufio.NewScanner(stdout)
	d := &database{t: t}
	for _, to := range []*string{&d.url, &d.ctl} {
		if !lines.Scan() {
			t.Fatal("no database")
		}
		*to = lines.Text()
	}
	return d
}

func (d *database) do(what string) {
	d.t.Helper()
	if out, err := exec.Command(d.ctl, what).CombinedOutput(); err != nil {
		d.t.Fatalf("%s: %v\n%s", what, err, out)
	}
}

// readiness asks /readyz: the status, and what it says of the store.
func readiness(admin string) (status int, store string, err error) {
	resp, err := http.Get("http://" + admin + "/readyz")
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	var body struct{ Checks map[string]string }
	err = json.NewDecoder(resp.Body).Decode(&body)
	return resp.StatusCode, body.Checks["store"], err
}

// TestStoreDown stops PostgreSQL under load: /readyz fails and names the store, ingest goes on, also in a process that
// starts meanwhile, and when the store is back the incidents are those of replay.
func TestStoreDown(t *testing.T) {
	t.Parallel()
	db := ownDatabase(t)
	data := t.TempDir()
	rulesDir, err := filepath.Abs("../../rules.d")
	if err != nil {
		t.Fatal(err)
	}
	ingestAt, admin := freePort(t), freePort(t)
	p := &process{env: []string{
		"TOCSIN_DATA=" + data, "TOCSIN_RULES=" + rulesDir, "TOCSIN_STORE_URL=" + db.url, "TOCSIN_INGEST_LISTEN=" + ingestAt,
		"TOCSIN_API_LISTEN=127.0.0.1:0", "TOCSIN_ADMIN_LISTEN=" + admin,
	}}
	events := attackEvents(15_000, time.Now().Add(-10*time.Second))
	want := wanted(t, events)
	send := func(from, to int) { sendAsVector(t, "http://"+ingestAt+"/ingest/vector", events[from:to]) }
	expect := func(status int, store string) {
		t.Helper()
		waitFor(t, 30*time.Second, p.running, func() error {
			got, says, err := readiness(admin)
			if err == nil && (got != status || (says == "ok") != (store == "ok")) {
				err = fmt.Errorf("/readyz: %d, store: %s; want %d and %s", got, says, status, store)
			}
			return err
		})
	}

	p.start(t, "")
	expect(http.StatusOK, "ok")
	send(0, 5_000)
	waitFor(t, 30*time.Second, p.running, func() error {
		if len(stored(t, db.url)) == 0 {
			return fmt.Errorf("no incident yet")
		}
		return nil
	})
	db.do("stop")
	expect(http.StatusServiceUnavailable, "away")
	send(5_000, 10_000)
	p.stop(t) // the end is graceful without the store, too
	p.start(t, "")
	expect(http.StatusServiceUnavailable, "away")
	send(10_000, 15_000)
	db.do("start")
	expect(http.StatusOK, "ok")
	waitFor(t, 60*time.Second, p.running, func() error {
		if d := cmp.Diff(want, stored(t, db.url)); d != "" {
			return fmt.Errorf("the incidents are not those of replay (-want +got):\n%s", d)
		}
		return nil
	})
	p.stop(t)
}

// TestLongOutage has PostgreSQL away until the streams are full of what nobody has decided: then records are refused, none that
// was taken is dropped, not in a process that starts meanwhile either, and when the store is back all goes on by itself.
func TestLongOutage(t *testing.T) {
	t.Parallel()
	db := ownDatabase(t)
	data := t.TempDir()
	rulesDir, err := filepath.Abs("../../rules.d")
	if err != nil {
		t.Fatal(err)
	}
	config := filepath.Join(data, "tocsin.yaml")
	if err := os.WriteFile(config, []byte("retention:\n  events: {bytes: 300000}\n  matches: {bytes: 300000}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	ingestAt, admin := freePort(t), freePort(t)
	p := &process{env: []string{
		"TOCSIN_DATA=" + data, "TOCSIN_RULES=" + rulesDir, "TOCSIN_STORE_URL=" + db.url, "TOCSIN_INGEST_LISTEN=" + ingestAt,
		"TOCSIN_API_LISTEN=127.0.0.1:0", "TOCSIN_ADMIN_LISTEN=" + admin, "TOCSIN_TEST_CONFIG=" + config,
	}}
	events := attackEvents(20_000, time.Now().Add(-10*time.Second))
	want := wanted(t, events)
	url := "http://" + ingestAt + "/ingest/vector"
	p.start(t, "")
	waitFor(t, 30*time.Second, p.running, func() error {
		got, _, err := readiness(admin)
		if err == nil && got != http.StatusOK {
			err = fmt.Errorf("/readyz: %d", got)
		}
		return err
	})
	sendAsVector(t, url, events[:2_000])
	db.do("stop")
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		sendAsVector(t, url, events[2_000:])
	}()
	refuses := func() error {
		resp, err := http.Post(url, "application/json", strings.NewReader(`{"event.id":"probe","event.action":"none"}`))
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		if resp.StatusCode != http.StatusServiceUnavailable || resp.Header.Get("Retry-After") == "" {
			return fmt.Errorf("answers %s", resp.Status)
		}
		return nil
	}
	waitFor(t, 60*time.Second, p.running, refuses)
	p.stop(t)
	p.start(t, "")
	waitFor(t, 60*time.Second, p.running, refuses)
	select {
	case <-sent:
		t.Fatal("all was taken: the streams were never full")
	default:
	}
	db.do("start")
	<-sent
	waitFor(t, 60*time.Second, p.running, func() error {
		if d := cmp.Diff(want, stored(t, db.url)); d != "" {
			return fmt.Errorf("the incidents are not those of replay (-want +got):\n%s", d)
		}
		return nil
	})
	p.stop(t)
}

// TestStoreFailsOver: of several hosts the one that takes writes is used, whichever it is by then.
func TestStoreFailsOver(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	a, b := ownDatabase(t), ownDatabase(t)
	exec := func(db *database, statements ...string) {
		t.Helper()
		conn, err := pgx.Connect(ctx, db.url)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close(ctx)
		for _, s := range statements {
			if _, err := conn.Exec(ctx, s); err != nil {
				t.Fatalf("%s: %v", s, err)
			}
		}
	}
	demote := func(db *database, value string) {
		t.Helper()
		exec(db, "ALTER SYSTEM SET default_transaction_read_only = "+value, "SELECT pg_reload_conf()")
		waitFor(t, 10*time.Second, func() bool { return true }, func() error {
			conn, err := pgx.Connect(ctx, db.url)
			if err != nil {
				return err
			}
			defer conn.Close(ctx)
			var is string
			if err := conn.QueryRow(ctx, "SHOW transaction_read_only").Scan(&is); err != nil || is != value {
				return fmt.Errorf("it is %s, %w", is, err)
			}
			return nil
		})
	}
	owner := func(db *database) (name string) {
		t.Helper()
		conn, err := pgx.Connect(ctx, db.url)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close(ctx)
		if err := conn.QueryRow(ctx, "SELECT coalesce(max(owner), '') FROM partitions").Scan(&name); err != nil {
			t.Fatal(err)
		}
		return name
	}
	for _, db := range []*database{a, b} {
		s, err := open.Store(ctx, db.url)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Migrate(ctx); err != nil {
			t.Fatal(err)
		}
		_ = s.Close() // it is opened again
	}
	demote(a, "on")
	host := func(db *database) string { _, dir, _ := strings.Cut(db.url, "host="); return dir }
	s, err := open.Store(ctx, "postgres://tocsin@/postgres?host="+host(a)+","+host(b))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if got, err := s.Acquire(ctx, "me", time.Minute, 0, 1); err != nil || len(got) != 1 || owner(b) != "me" || owner(a) != "" {
		t.Fatalf("acquired %v, %v, of b %q, of a %q", got, err, owner(b), owner(a))
	}
	demote(a, "off")
	demote(b, "on")
	waitFor(t, 20*time.Second, func() bool { return true }, func() error {
		_, err := s.Acquire(ctx, "me", time.Minute, 0, 1)
		if err != nil && !errors.Is(err, store.ErrUnavailable) {
			t.Fatal(err)
		}
		return err
	})
	if owner(a) != "me" {
		t.Error("the leases are not with the new primary")
	}
}

// TestDiskFull lets no file grow for a while, under load: /readyz says so, nothing is taken, nothing is lost, and when there is
// room again all goes on by itself.
func TestDiskFull(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	rulesDir, err := filepath.Abs("../../rules.d")
	if err != nil {
		t.Fatal(err)
	}
	where, ingestAt, admin := "sqlite:"+filepath.Join(data, "tocsin.db"), freePort(t), freePort(t)
	p := &process{env: []string{
		"TOCSIN_DATA=" + data, "TOCSIN_RULES=" + rulesDir, "TOCSIN_STORE_URL=" + where, "TOCSIN_INGEST_LISTEN=" + ingestAt,
		"TOCSIN_API_LISTEN=127.0.0.1:0", "TOCSIN_ADMIN_LISTEN=" + admin,
	}}
	events := attackEvents(15_000, time.Now().Add(-10*time.Second))
	want := wanted(t, events)
	expect := func(status int) {
		t.Helper()
		waitFor(t, 60*time.Second, p.running, func() error {
			got, _, err := readiness(admin)
			if err == nil && got != status {
				err = fmt.Errorf("/readyz: %d, want %d", got, status)
			}
			return err
		})
	}
	room := func(bytes uint64) {
		t.Helper()
		if err := unix.Prlimit(p.cmd.Process.Pid, unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: bytes, Max: unix.RLIM_INFINITY}, nil); err != nil {
			t.Fatal(err)
		}
	}
	p.start(t, "")
	expect(http.StatusOK)
	sendAsVector(t, "http://"+ingestAt+"/ingest/vector", events[:5_000])
	sent := make(chan struct{})
	room(1)
	go func() {
		defer close(sent)
		sendAsVector(t, "http://"+ingestAt+"/ingest/vector", events[5_000:])
	}()
	expect(http.StatusServiceUnavailable)
	room(unix.RLIM_INFINITY)
	expect(http.StatusOK)
	<-sent
	waitFor(t, 120*time.Second, p.running, func() error {
		if d := cmp.Diff(want, stored(t, where)); d != "" {
			return fmt.Errorf("the incidents are not those of replay (-want +got):\n%s", d)
		}
		return nil
	})
	p.stop(t)
}

// TestSecondSignalEndsAtOnce: a graceful end that waits for a client is cut short by a second SIGTERM.
func TestSecondSignalEndsAtOnce(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	ingestAt := freePort(t)
	p := &process{env: []string{
		"TOCSIN_DATA=" + data, "TOCSIN_RULES=" + filepath.Join("..", "..", "rules.d"), "TOCSIN_INGEST_LISTEN=" + ingestAt,
		"TOCSIN_API_LISTEN=127.0.0.1:0", "TOCSIN_ADMIN_LISTEN=127.0.0.1:0",
	}}
	p.start(t, "")
	var conn net.Conn
	waitFor(t, 20*time.Second, p.running, func() (err error) {
		conn, err = net.Dial("tcp", ingestAt)
		return err
	})
	defer conn.Close()
	// A request that never ends, and that the server has begun to answer.
	fmt.Fprintf(conn, "POST /ingest/vector HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 100\r\n\r\n")
	if line, err := bufio.NewReader(conn).ReadString('\n'); err != nil || !strings.Contains(line, "100 Continue") {
		t.Fatalf("%q, %v", line, err)
	}
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	// Once the port is closed the first signal has been seen; the request holds the end up.
	waitFor(t, 20*time.Second, p.running, func() error {
		if c, err := net.Dial("tcp", ingestAt); err == nil {
			_ = c.Close()
			return fmt.Errorf("the port is still open")
		}
		return nil
	})
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	<-p.done
	if s := p.cmd.ProcessState.Sys().(syscall.WaitStatus); !s.Signaled() || s.Signal() != syscall.SIGTERM {
		t.Errorf("the process ended with %v, not by the second signal:\n%s", p.cmd.ProcessState, p.log)
	}
	_, _ = io.Copy(io.Discard, conn)
}
