// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/nats-io/nats-server/v2/server"
	"golang.org/x/sys/unix"
)

// everyRule has a window over every event, and no incident: correlating is all there is to do.
const everyRule = `rule: busy-host
title: Busy host
severity: low
match: 'raw.EventID == 1'
when: count(match) >= 1000000
by: raw.Computer
within: 10m
`

// scale measures how much faster two processes of a role are than one, on a core each: what they work at waits before they
// begin.
func (r run) scale(dir, rules, role string) error {
	if os.Getenv("TOCSIN_TEST_POSTGRES") == "" {
		return errors.New("processes of one role share a PostgreSQL: use scripts/with-postgres")
	}
	if role == "correlate" {
		if err := os.WriteFile(filepath.Join(rules, "every.yml"), []byte(everyRule), 0o600); err != nil {
			return err
		}
	}
	program, err := build(dir)
	if err != nil {
		return err
	}
	var rates [2]float64
	for i := range rates {
		in := &installation{dir: filepath.Join(dir, strconv.Itoa(i+1)), program: program, rules: rules}
		rates[i], err = in.rate(r, role, i+1)
		in.stop()
		if err != nil {
			return err
		}
		fmt.Printf("%d of %s: %.0f messages of the log a second\n", i+1, role, rates[i])
	}
	fmt.Printf("two processes of %s are %.2f times as fast as one\n", role, rates[1]/rates[0])
	return nil
}

// installation is processes that share a NATS and a database of PostgreSQL.
type installation struct {
	dir, program, rules string

	nats      *server.Server
	database  string
	api       *target
	processes []*exec.Cmd
	started   int
}

// rate fills the log and returns how many messages of it n processes of a role take in a second.
func (in *installation) rate(r run, role string, n int) (float64, error) {
	if err := in.begin(); err != nil {
		return 0, err
	}
	at, err := addresses(1)
	if err != nil {
		return 0, err
	}
	ingest, err := in.start("ingest", -1, "TOCSIN_INGEST_LISTEN="+at[0])
	if err != nil {
		return 0, err
	}
	client := &http.Client{Timeout: time.Minute}
	defer client.CloseIdleConnections()
	if _, _, err := r.send(client, "http://"+at[0]+"/ingest/vector", time.Now().Add(r.length)); err != nil {
		return 0, err
	}
	if err := finish(ingest); err != nil {
		return 0, err
	}
	lag := in.api.matchLag
	if role == "correlate" {
		match, err := in.start("match", -1)
		if err != nil {
			return 0, err
		}
		if err := until(10*time.Minute, func() (bool, error) {
			n, err := lag()
			return n == 0, err
		}); err != nil {
			return 0, err
		}
		if err := finish(match); err != nil {
			return 0, err
		}
		lag = in.api.correlateLag
	}
	all, err := lag()
	if err != nil {
		return 0, err
	}
	for core := range n {
		if _, err := in.start(role, core); err != nil {
			return 0, err
		}
	}
	// Neither the start nor the end counts, where one of them may have nothing to do.
	var from, to time.Time
	var first, last uint64
	err = until(10*time.Minute, func() (bool, error) {
		left, err := lag()
		switch {
		case err != nil:
		case from.IsZero() && left < all*9/10:
			from, first = time.Now(), left
		case !from.IsZero() && left < all/5:
			to, last = time.Now(), left
		}
		return !to.IsZero(), err
	})
	return float64(first-last) / to.Sub(from).Seconds(), err
}

// begin starts NATS, makes a database, and starts a process of the role api, which gives the others their rules.
func (in *installation) begin() error {
	var err error
	in.nats, err = server.NewServer(&server.Options{
		Host: "127.0.0.1", Port: server.RANDOM_PORT, JetStream: true, StoreDir: filepath.Join(in.dir, "nats"), SyncAlways: true, MaxPayload: 8 << 20, NoSigs: true, NoLog: true,
	})
	if err != nil {
		return err
	}
	in.nats.Start()
	if !in.nats.ReadyForConnections(10 * time.Second) {
		return errors.New("NATS does not start")
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	admin := os.Getenv("TOCSIN_TEST_POSTGRES")
	pg, err := pgx.Connect(ctx, admin)
	if err != nil {
		return err
	}
	defer pg.Close(ctx)
	name := "load_" + strconv.FormatInt(time.Now().UnixNano(), 36)
	if _, err := pg.Exec(ctx, "CREATE DATABASE "+name); err != nil {
		return err
	}
	config, err := pgx.ParseConfig(admin)
	if err != nil {
		return err
	}
	in.database = fmt.Sprintf("postgres://%s@/%s?host=%s&port=%d&sslmode=disable", config.User, name, config.Host, config.Port)
	at, err := addresses(1)
	if err != nil {
		return err
	}
	if _, err := in.start("api", -1, "TOCSIN_API_LISTEN="+at[0], "TOCSIN_API_TOKEN=secret", "TOCSIN_RULES="+in.rules); err != nil {
		return err
	}
	in.api = &target{api: "http://" + at[0], token: "secret"}
	return nil
}

// start starts a process and waits until it is ready; on one core, if it is not negative.
func (in *installation) start(role string, core int, env ...string) (*exec.Cmd, error) {
	in.started++
	data := filepath.Join(in.dir, fmt.Sprint(role, in.started))
	if err := os.MkdirAll(data, 0o755); err != nil {
		return nil, err
	}
	at, err := addresses(1)
	if err != nil {
		return nil, err
	}
	config := filepath.Join(data, "tocsin.yaml")
	text := fmt.Sprintf("nats: {url: %q, replicas: 1}\n", in.nats.ClientURL())
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		return nil, err
	}
	cmd := command(in.program, "serve", "--config", config, "--roles", role)
	cmd.Env = append(os.Environ(), "TOCSIN_DATA="+data, "TOCSIN_RULES="+filepath.Join(data, "none"), "TOCSIN_VECTOR_LISTEN=off", "TOCSIN_ADMIN_LISTEN="+at[0])
	if role != "ingest" && role != "match" {
		cmd.Env = append(cmd.Env, "TOCSIN_STORE_URL="+in.database)
	}
	if cmd.Env = append(cmd.Env, env...); core >= 0 {
		cmd.Env = append(cmd.Env, "GOMAXPROCS=1")
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	in.processes = append(in.processes, cmd)
	if core >= 0 {
		if err := pin(cmd.Process.Pid, core); err != nil {
			return nil, err
		}
		return cmd, nil // it is measured from its first moment
	}
	return cmd, until(time.Minute, func() (bool, error) { return answers("http://" + at[0] + "/readyz") })
}

// pin keeps all threads of a process on one core; those that they make stay there, too.
func pin(pid, core int) error {
	var set unix.CPUSet
	set.Set(core)
	tasks, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
	if err != nil {
		return err
	}
	for _, t := range tasks {
		id, err := strconv.Atoi(t.Name())
		if err != nil {
			return err
		}
		if err := unix.SchedSetaffinity(id, &set); err != nil && !errors.Is(err, unix.ESRCH) {
			return err
		}
	}
	return nil
}

// stop ends what is left; it was measured.
func (in *installation) stop() {
	for _, cmd := range in.processes {
		if cmd.ProcessState == nil {
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
		}
	}
	if in.nats != nil {
		in.nats.Shutdown()
		in.nats.WaitForShutdown()
	}
}

// finish ends a process gracefully.
func finish(cmd *exec.Cmd) error {
	if err := cmd.Process.Signal(unix.SIGTERM); err != nil {
		return err
	}
	if err := cmd.Wait(); err != nil {
		return fmt.Errorf("%s: %w", strings.Join(cmd.Args, " "), err)
	}
	return nil
}
