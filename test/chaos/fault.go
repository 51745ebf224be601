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

// draw draws a fault that the world can suffer.
func draw(r *rand.Rand, w *world) fault {
	short := func(limit time.Duration) time.Duration { return time.Duration(r.Int64N(int64(limit))) }
	who := r.IntN(len(w.replicas))
	target := w.replicas[who]
	way := 0
	if len(target.proxies) > 0 {
		way = r.IntN(len(target.proxies))
	}
	server := r.IntN(3)
	stream := []string{"EVENTS", "MATCHES", "KV_tocsin-sets"}[r.IntN(3)]
	d := short(3 * time.Second)
	rules := r.IntN(1000)
	replica := []fault{
		{fmt.Sprintf("kill tocsin-%d for %v", who, d), func(w *world) error { return w.killFor(target.process, d) }},
		{fmt.Sprintf("freeze tocsin-%d for %v", who, 2*d), func(*world) error { target.freezeFor(2 * d); return nil }},
		{fmt.Sprintf("stop tocsin-%d, start it after %v", who, d), func(w *world) error {
			target.stop(syscall.SIGTERM)
			time.Sleep(d)
			return w.revive(target.process)
		}},
		{fmt.Sprintf("change rules %d of tocsin-%d", rules, who), func(*world) error { return target.change(rules) }},
	}
	if w.programs.hooked {
		replica = append(replica, jump(r, target.process))
	}
	power := r.Uint64() // what the disk then has
	if w.alone && w.programs.hooked {
		replica = append(replica, fault{fmt.Sprintf("fail the power of tocsin-%d for %v", who, d), func(w *world) error { return w.fail(d, power, target.process) }})
	}
	if w.alone {
		replica = append(replica, fault{fmt.Sprintf("let no file of tocsin-%d grow for %v", who, d), func(*world) error { return target.fullFor(d) }})
		return replica[r.IntN(len(replica))]
	}
	leader := func(do func(p *process) error) func(w *world) error {
		return func(w *world) error {
			at := w.natsLeader(stream)
			if at < 0 {
				at = server
			}
			return do(w.nats[at])
		}
	}
	names := []string{"nats-0", "nats-1", "nats-2", "postgres"}
	link := fmt.Sprintf("tocsin-%d to %s", who, names[way])
	p := target.proxies[way]
	all := append(replica, []fault{
		{fmt.Sprintf("kill the leader of %s for %v", stream, d), leader(func(p *process) error { return w.killFor(p, d) })},
		{fmt.Sprintf("freeze the leader of %s for %v", stream, d), leader(func(p *process) error { p.freezeFor(d); return nil })},
		{fmt.Sprintf("kill nats-%d for %v", server, d), func(w *world) error { return w.killFor(w.nats[server], d) }},
		{fmt.Sprintf("kill postgres for %v", d), func(w *world) error { return w.killFor(w.pg, d) }},
		{fmt.Sprintf("freeze postgres for %v", d), func(w *world) error { w.pg.freezeFor(d); return nil }},
		{fmt.Sprintf("cut %s for %v", link, d), func(*world) error { p.cutFor(d); return nil }},
		{fmt.Sprintf("swallow %s for %v", link, 2*d), func(*world) error { p.swallowFor(2*d, false); return nil }},
		{fmt.Sprintf("swallow and lose %s for %v", link, 2*d), func(*world) error { p.swallowFor(2*d, true); return nil }},
		{fmt.Sprintf("delay %s by %v for %v", link, d/20, 2*d), func(*world) error { p.delayFor(d/20, 2*d); return nil }},
	}...)
	if w.programs.hooked {
		all = append(all, jump(r, w.nats[server]),
			fault{fmt.Sprintf("fail the power of nats-%d for %v", server, d), func(w *world) error { return w.fail(d, power, w.nats[server]) }},
			fault{fmt.Sprintf("fail the power of all NATS servers for %v", d), func(w *world) error { return w.fail(d, power, w.nats...) }})
	}
	return all[r.IntN(len(all))]
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
	name := filepath.Join(r.rules, "more.yml")
	if err := os.WriteFile(name+".tmp", []byte(more), 0o600); err != nil {
		return err
	}
	return os.Rename(name+".tmp", name)
}
