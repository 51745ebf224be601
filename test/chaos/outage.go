// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"os"
	"strconv"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

// outages are what can be away for hours: the NATS servers, PostgreSQL, or who is told of incidents.
var outages = []string{"hub", "store", "receiver"}

// outage has one of them away for five hours: the clocks of all processes are set ahead, an hour at a time, and what the store
// has noted grows as old. Events go on being sent, by the same clock. Of the given time a third is before, a third within, and a third after.
func (r run) outage(w *world) error {
	const hours = 5
	third := r.length / 3
	time.Sleep(third)
	switch r.away {
	case "hub":
		for _, p := range w.nats {
			p.kill()
		}
	case "store":
		w.pg.signalTree(syscall.SIGKILL)
		w.pg.kill()
	case "receiver":
		w.hook.turn("hang up")
	default:
		return fmt.Errorf("%q cannot be away: %q can", r.away, outages)
	}
	for h := range hours {
		time.Sleep(third / (hours + 1))
		if err := w.advance(time.Duration(h+1) * time.Hour); err != nil {
			return err
		}
	}
	time.Sleep(third / (hours + 1))
	w.hook.turn("")
	if err := w.heal(); err != nil {
		return err
	}
	if r.away == "store" {
		if err := until(time.Minute, func() error { return w.growOld(hours * time.Hour) }); err != nil {
			return err
		}
	}
	return nil
}

// advance sets the clocks of all processes ahead, by so much in all.
func (w *world) advance(d time.Duration) error {
	before := time.Duration(w.ahead.Swap(int64(d)))
	text := []byte(strconv.FormatInt(int64(d/time.Second), 10))
	for _, p := range w.nats {
		if err := os.WriteFile(p.clockFile(), text, 0o600); err != nil {
			return err
		}
	}
	for _, p := range w.with("") {
		if err := os.WriteFile(p.clockFile(), text, 0o600); err != nil {
			return err
		}
	}
	if !w.pg.running() {
		return nil
	}
	return w.growOld(d - before)
}

// growOld has alerts that wait in the store wait for longer: PostgreSQL's clock is the machine's.
func (w *world) growOld(d time.Duration) error {
	ctx, cancel := timeout(10 * time.Second)
	defer cancel()
	pg, err := pgx.Connect(ctx, w.storeURL(w.pgAt))
	if err != nil {
		return err
	}
	defer pg.Close(ctx)
	_, err = pg.Exec(ctx, "UPDATE outbox SET created = created - $1, not_before = not_before - $1, lease_until = lease_until - $1 WHERE state = 'pending'", d.Nanoseconds())
	return err
}

// now is the time by the clocks of all processes.
func (w *world) now() time.Time { return time.Now().Add(time.Duration(w.ahead.Load())) }
