// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// fault is something bad that is done and undone.
type fault struct {
	name string
	do   func(w *world) error
}

// kind draws a fault of one kind; one that does nothing if there is none now.
type kind func(r *rand.Rand, w *world) fault

// draw draws a fault that the world can suffer.
func draw(r *rand.Rand, w *world) fault {
	all := []kind{
		killReplica, freezeReplica, restartReplica, changeRules, changeMeaning, grumble,
	}
	if w.alone {
		all = append(all, fillDisk)
	} else {
		all = append(all, join, leave)
		all = append(all, ofServers...)
	}
	if w.programs.hooked {
		all = append(all, jumpReplica)
		if w.alone {
			all = append(all, failReplica)
		} else {
			all = append(all, jumpNATS, failNATS, failAllNATS, failEdge)
		}
	}
	for {
		if f := all[r.IntN(len(all))](r, w); f.do != nil {
			return f
		}
	}
}

// short draws a time up to a limit.
func short(r *rand.Rand, limit time.Duration) time.Duration {
	return time.Duration(r.Int64N(int64(limit)))
}

// some draws a replica that is not gone for good.
func (w *world) some(r *rand.Rand, role string) *replica {
	all := w.with(role)
	return all[r.IntN(len(all))]
}

func killReplica(r *rand.Rand, w *world) fault {
	x, d := w.some(r, ""), short(r, 3*time.Second)
	return fault{fmt.Sprintf("kill %s for %v", x.name, d), func(w *world) error { return w.killFor(x.process, d) }}
}

func freezeReplica(r *rand.Rand, w *world) fault {
	x, d := w.some(r, ""), short(r, 6*time.Second)
	return fault{fmt.Sprintf("freeze %s for %v", x.name, d), func(*world) error { x.freezeFor(d); return nil }}
}

func restartReplica(r *rand.Rand, w *world) fault {
	x, d := w.some(r, ""), short(r, 3*time.Second)
	return fault{fmt.Sprintf("stop %s, start it after %v", x.name, d), func(w *world) error {
		x.stop(syscall.SIGTERM)
		time.Sleep(d)
		return w.revive(x.process)
	}}
}

func changeRules(r *rand.Rand, w *world) fault {
	x, n := w.some(r, "api"), r.IntN(1000)
	return fault{fmt.Sprintf("change rules %d of %s", n, x.name), func(*world) error { return x.change(n) }}
}

func fillDisk(r *rand.Rand, w *world) fault {
	x, d := w.some(r, ""), short(r, 3*time.Second)
	return fault{fmt.Sprintf("let no file of %s grow for %v", x.name, d), func(*world) error { return x.fullFor(d) }}
}

// killFor kills a process with SIGKILL and starts it again.
func (w *world) killFor(p *process, d time.Duration) error {
	p.kill()
	time.Sleep(d)
	return w.revive(p)
}

func (p *process) freezeFor(d time.Duration) {
	p.signalTree(syscall.SIGSTOP)
	time.Sleep(d)
	p.signalTree(syscall.SIGCONT)
}

// fullFor lets no file of a tocsin that is ready grow: to it the disk is full. One that starts on a full disk ends with the
// reason, as it should.
func (r *replica) fullFor(d time.Duration) error {
	isReady := until(10*time.Second, func() error { return ready(r.admin) }) == nil
	r.mu.Lock()
	cmd := r.cmd
	r.mu.Unlock()
	if !isReady || cmd == nil {
		return nil // another fault has it
	}
	limit := func(bytes uint64) error {
		return unix.Prlimit(cmd.Process.Pid, unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: bytes, Max: unix.RLIM_INFINITY}, nil)
	}
	err := limit(1)
	time.Sleep(d)
	if err == nil {
		err = limit(unix.RLIM_INFINITY)
	}
	if errors.Is(err, unix.ESRCH) {
		return nil // it has ended meanwhile
	}
	return err
}

// change changes the rules under a running tocsin: another title of one, and one more that nothing matches. What the
// others mean stays, and with it what they find (R2).
func (r *replica) change(n int) error {
	more := fmt.Sprintf("rule: more-%d\ntitle: More\nseverity: low\nmatch: 'event.action == \"never-%d\"'\nby: user.name\n", n, n)
	return replace(filepath.Join(r.rules, "more.yml"), []byte(more))
}

// replace writes a file whose reader sees all of the old or all of the new.
func replace(name string, text []byte) error {
	if err := os.WriteFile(name+".tmp", text, 0o600); err != nil {
		return err
	}
	return os.Rename(name+".tmp", name)
}
