// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"math/rand/v2"
	"syscall"
	"time"

	"tocsin/test/chaos/disk"
)

// shadow is where what the process's disk has is kept.
func (p *process) shadow() string { return p.disk + ".shadow" }

// fail fails the power of processes, all at once: what they did not sync may be lost.
func (w *world) fail(d time.Duration, seed uint64, all ...*process) error {
	w.failing.Lock() // power that has failed cannot fail
	defer w.failing.Unlock()
	for _, p := range all {
		p.setDark(true)
		p.kill()
	}
	r := rand.New(rand.NewPCG(seed, 3))
	for _, p := range all {
		p.stop(syscall.SIGKILL)
		if err := disk.Lose(p.disk, p.shadow(), r); err != nil {
			return err
		}
	}
	time.Sleep(d)
	for _, p := range all {
		p.setDark(false)
	}
	for _, p := range all {
		if err := w.revive(p); err != nil {
			return err
		}
	}
	return nil
}

func (p *process) setDark(dark bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.dark = dark
}

// cut draws a failure of the power of some processes.
func cut(r *rand.Rand, name string, all ...*process) fault {
	d, seed := short(r, 3*time.Second), r.Uint64() // the seed decides what the disks then have
	return fault{fmt.Sprintf("fail the power of %s for %v", name, d), func(w *world) error { return w.fail(d, seed, all...) }}
}

func failReplica(r *rand.Rand, w *world) fault {
	x := w.some(r, "")
	return cut(r, x.name, x.process)
}

func failNATS(r *rand.Rand, w *world) fault {
	p := w.nats[r.IntN(3)]
	return cut(r, p.name, p)
}

func failAllNATS(r *rand.Rand, w *world) fault { return cut(r, "all NATS servers", w.nats...) }
