// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"sort"
	"strconv"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

// startPostgres starts a PostgreSQL of its own, as a user that is not root.
func (w *world) startPostgres() error {
	bin, err := postgresBin()
	if err != nil {
		return err
	}
	ports, err := freePorts(1)
	if err != nil {
		return err
	}
	data := filepath.Join(w.dir, "postgres")
	if err := os.Mkdir(data, 0o700); err != nil {
		return err
	}
	p := &process{name: "postgres", dir: w.dir, args: []string{
		bin + "/postgres", "-D", data, "-h", "127.0.0.1", "-p", strconv.Itoa(ports[0]), "-k", "", "-c", "max_connections=200",
	}}
	if os.Getuid() == 0 {
		u, err := user.Lookup("postgres")
		if err != nil {
			return fmt.Errorf("PostgreSQL refuses to run as root: %w", err)
		}
		uid, err := strconv.ParseUint(u.Uid, 10, 32)
		if err != nil {
			return err
		}
		gid, err := strconv.ParseUint(u.Gid, 10, 32)
		if err != nil {
			return err
		}
		p.uid, p.gid = uint32(uid), uint32(gid)
		if err := os.Chown(data, int(uid), int(gid)); err != nil {
			return err
		}
	}
	initdb := exec.Command(bin+"/initdb", "-D", data, "-U", "tocsin", "--auth=trust", "--no-sync", "-E", "UTF8")
	initdb.Dir = "/"
	if p.uid != 0 {
		initdb.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: p.uid, Gid: p.gid}}
	}
	if out, err := initdb.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w\n%s", err, out)
	}
	w.pg, w.pgAt = p, fmt.Sprintf("127.0.0.1:%d", ports[0])
	if err := p.start(); err != nil {
		return err
	}
	return until(30*time.Second, func() error {
		ctx, cancel := timeout(2 * time.Second)
		defer cancel()
		conn, err := pgx.Connect(ctx, w.storeURL(w.pgAt))
		if err != nil {
			return err
		}
		return conn.Close(ctx)
	})
}

// postgresBin returns the folder of PostgreSQL's programs.
func postgresBin() (string, error) {
	if path, err := exec.LookPath("initdb"); err == nil {
		return filepath.Dir(path), nil
	}
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if err != nil || len(found) == 0 {
		return "", errNotThere
	}
	sort.Strings(found)
	return filepath.Dir(found[len(found)-1]), nil
}
