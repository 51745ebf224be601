// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

// clockEnv names the file with the seconds by which a process's clock is wrong.
const clockEnv = "CHAOS_CLOCK"

// maxJump is how far a clock jumps at the most.
const maxJump = 8 * time.Second

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
	d := short(r, 6*time.Second)
	return fault{fmt.Sprintf("set the clock of %s wrong by %d s for %v", p.name, seconds, d), func(*world) error { return p.jumpFor(seconds, d) }}
}

func jumpReplica(r *rand.Rand, w *world) fault { return jump(r, w.some(r, "").process) }

func jumpNATS(r *rand.Rand, w *world) fault { return jump(r, w.nats[r.IntN(3)]) }
