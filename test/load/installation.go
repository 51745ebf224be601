// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
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

// installation is processes that share a NATS and a database of PostgreSQL.
type installation struct {
	dir, program, rules string
	percent             int

	nats      *server.Server
	database  string
	api       *target
	processes []*exec.Cmd
	admin     map[*exec.Cmd]string // where its metrics are
	groups    []string
}

// begin starts NATS, makes a database, and starts a process of the role api, which gives the others their rules.
func (in *installation) begin() error {
	var err error
	in.nats, err = server.NewServer(&server.Options{
		Host: "127.0.0.1", Port: server.RANDOM_PORT, JetStream: true, StoreDir: filepath.Join(in.dir, "nats"), SyncAlways: true, MaxPayload: 8 << 20, MaxPending: 256 << 20, NoSigs: true, NoLog: true,
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

// start starts a process and waits until it is ready; on a part of one core, if that is not negative.
func (in *installation) start(role string, core int, env ...string) (*exec.Cmd, error) {
	data := filepath.Join(in.dir, fmt.Sprint(role, len(in.processes)))
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
	in.admin[cmd] = at[0]
	if core >= 0 {
		if err := pin(cmd.Process.Pid, core); err != nil {
			return nil, err
		}
		group, err := quota(cmd.Process.Pid, in.percent)
		if err != nil {
			return nil, err
		}
		in.groups = append(in.groups, group)
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
	for _, group := range in.groups {
		_ = os.Remove(group) // an empty group is harmless
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
