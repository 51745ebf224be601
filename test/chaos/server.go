// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"math/rand/v2"
	"time"
)

// ofServers are the faults of what replicas share, and of the ways to it.
var ofServers = []kind{
	killLeader, freezeLeader, killNATS, killPostgres, freezePostgres, cutWay, swallowWay, loseWay, delayWay,
}

// leader draws a stream; which server leads it is found out when the fault comes.
func leader(r *rand.Rand, do func(w *world, p *process) error) (string, func(w *world) error) {
	stream := []string{"EVENTS", "MATCHES", "KV_tocsin-sets"}[r.IntN(3)]
	other := r.IntN(3)
	return stream, func(w *world) error {
		at := w.natsLeader(stream)
		if at < 0 {
			at = other
		}
		return do(w, w.nats[at])
	}
}

func killLeader(r *rand.Rand, _ *world) fault {
	d := short(r, 3*time.Second)
	stream, do := leader(r, func(w *world, p *process) error { return w.killFor(p, d) })
	return fault{fmt.Sprintf("kill the leader of %s for %v", stream, d), do}
}

func freezeLeader(r *rand.Rand, _ *world) fault {
	d := short(r, 3*time.Second)
	stream, do := leader(r, func(_ *world, p *process) error { p.freezeFor(d); return nil })
	return fault{fmt.Sprintf("freeze the leader of %s for %v", stream, d), do}
}

func killNATS(r *rand.Rand, w *world) fault {
	p, d := w.nats[r.IntN(3)], short(r, 3*time.Second)
	return fault{fmt.Sprintf("kill %s for %v", p.name, d), func(w *world) error { return w.killFor(p, d) }}
}

func killPostgres(r *rand.Rand, _ *world) fault {
	d := short(r, 3*time.Second)
	return fault{fmt.Sprintf("kill postgres for %v", d), func(w *world) error { return w.killFor(w.pg, d) }}
}

func freezePostgres(r *rand.Rand, _ *world) fault {
	d := short(r, 3*time.Second)
	return fault{fmt.Sprintf("freeze postgres for %v", d), func(w *world) error { w.pg.freezeFor(d); return nil }}
}

// way draws a replica's way to a server, and says which it is.
func way(r *rand.Rand, w *world) (*proxy, string) {
	x := w.some(r, "")
	i := r.IntN(len(x.proxies))
	return x.proxies[i], x.name + " to " + []string{"nats-0", "nats-1", "nats-2", "postgres"}[i]
}

func cutWay(r *rand.Rand, w *world) fault {
	p, name := way(r, w)
	d := short(r, 3*time.Second)
	return fault{fmt.Sprintf("cut %s for %v", name, d), func(*world) error { p.cutFor(d); return nil }}
}

func swallowWay(r *rand.Rand, w *world) fault {
	p, name := way(r, w)
	d := short(r, 6*time.Second)
	return fault{fmt.Sprintf("swallow %s for %v", name, d), func(*world) error { p.swallowFor(d, false); return nil }}
}

func loseWay(r *rand.Rand, w *world) fault {
	p, name := way(r, w)
	d := short(r, 6*time.Second)
	return fault{fmt.Sprintf("swallow and lose %s for %v", name, d), func(*world) error { p.swallowFor(d, true); return nil }}
}

func delayWay(r *rand.Rand, w *world) fault {
	p, name := way(r, w)
	by, d := short(r, 150*time.Millisecond), short(r, 6*time.Second)
	return fault{fmt.Sprintf("delay %s by %v for %v", name, by, d), func(*world) error { p.delayFor(by, d); return nil }}
}
