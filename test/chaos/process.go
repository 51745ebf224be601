// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"tocsin/test/chaos/disk"
)

// process is a child that faults are done to.
type process struct {
	name string
	args []string
	env  []string
	dir  string // its logs are here
	uid  uint32 // 0: as we run ourselves
	gid  uint32
	disk string // the power of this directory can fail

	mu    sync.Mutex
	cmd   *exec.Cmd
	done  chan struct{}
	asked bool // the process was asked to end, or killed
	alone int  // how often it ended by itself
	dark  bool // it has no power
	over  bool // it is stopped for good
}

// start starts the process, unless it runs or is stopped for good.
func (p *process) start() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cmd != nil || p.over {
		return nil
	}
	if p.dark {
		return errors.New("chaos: no power")
	}
	log, err := os.OpenFile(p.dir+"/"+p.name+".log", os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	cmd := exec.Command(p.args[0], p.args[1:]...)
	cmd.Env = append(append(os.Environ(), clockEnv+"="+p.clockFile()), p.env...)
	if p.disk != "" {
		cmd.Env = append(cmd.Env, disk.Env+"="+p.disk+":"+p.shadow())
	}
	out := struct{ io.Writer }{log} // a pipe: what the process cannot write to its own files, it can still say
	cmd.Stdout, cmd.Stderr, cmd.WaitDelay = out, out, time.Second
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if p.uid != 0 {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: p.uid, Gid: p.gid}
	}
	if err := cmd.Start(); err != nil {
		_ = log.Close()
		return fmt.Errorf("%s: %w", p.name, err)
	}
	done := make(chan struct{})
	p.cmd, p.done, p.asked = cmd, done, false
	go func() {
		fmt.Fprintln(log, "ended:", cmd.Wait())
		_ = log.Close()
		p.mu.Lock()
		if p.cmd == cmd {
			p.cmd = nil
		}
		if !p.asked {
			p.alone++
		}
		p.mu.Unlock()
		close(done)
	}()
	return nil
}

// signal sends a signal to the process and its children; to none if it does not run.
func (p *process) signal(s syscall.Signal) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cmd != nil {
		_ = syscall.Kill(-p.cmd.Process.Pid, s) // it may have ended just now
	}
}

// running reports whether the process runs.
func (p *process) running() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.cmd != nil
}

// setOver has the process never start again.
func (p *process) setOver() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.over = true
}

func (p *process) isOver() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.over
}

// stop ends the process with a signal and waits.
func (p *process) stop(s syscall.Signal) {
	p.mu.Lock()
	done := p.done
	running := p.cmd != nil
	p.asked = true
	p.mu.Unlock()
	if running {
		p.signal(s)
		<-done
	}
}

var errNotThere = errors.New("chaos: PostgreSQL's programs are not there (scripts/with-postgres installs them)")

// kill ends the process and all below it at once.
func (p *process) kill() {
	p.mu.Lock()
	p.asked = true
	p.mu.Unlock()
	p.signalTree(syscall.SIGCONT)
	p.signalTree(syscall.SIGKILL)
}

// crashed reports how often the process ended by itself.
func (p *process) crashed() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.alone
}

// signalTree sends a signal to the process and all below it: PostgreSQL's children are groups of their own.
func (p *process) signalTree(s syscall.Signal) {
	p.mu.Lock()
	cmd := p.cmd
	p.mu.Unlock()
	if cmd == nil {
		return
	}
	tree := []int{cmd.Process.Pid}
	for i := 0; i < len(tree); i++ {
		below, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", tree[i], tree[i]))
		if err != nil {
			continue // it ended
		}
		for f := range strings.FieldsSeq(string(below)) {
			if pid, err := strconv.Atoi(f); err == nil {
				tree = append(tree, pid)
			}
		}
	}
	for _, pid := range tree {
		_ = syscall.Kill(pid, s) // it may have ended just now
	}
}
