// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// everyRule has a window over every event, and no incident. Where correlating is measured there is no other rule: what incidents
// have of evidence is read again from NATS, which would take the same cores.
const everyRule = `rule: busy-host
title: Busy host
severity: low
match: 'raw.EventID == 1'
when: count(match) >= 1000000
by: raw.Computer
within: 1m
`

// scale measures how much faster two processes of a role are than one, on a core each, of which each has a percentage: NATS and
// PostgreSQL have the rest, as they would have machines of their own. What they work at waits before they begin.
func (r run) scale(dir, rules, role string, percent int) error {
	if os.Getenv("TOCSIN_TEST_POSTGRES") == "" {
		return errors.New("processes of one role share a PostgreSQL: use scripts/with-postgres")
	}
	if role == "correlate" {
		rules = filepath.Join(dir, "every")
		if err := os.Mkdir(rules, 0o755); err != nil {
			return err
		}
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
		in := &installation{dir: filepath.Join(dir, strconv.Itoa(i+1)), program: program, rules: rules, percent: percent, admin: make(map[*exec.Cmd]string)}
		rates[i], err = in.rate(r, role, i+1)
		in.stop()
		if err != nil {
			return err
		}
		fmt.Printf("%d of %s: %.1f messages of the log a second\n", i+1, role, rates[i])
	}
	fmt.Printf("two processes of %s are %.2f times as fast as one\n", role, rates[1]/rates[0])
	return nil
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
		lag = in.matched
	}
	all, err := lag()
	if err != nil {
		return 0, err
	}
	var stage []*exec.Cmd
	for core := range n {
		cmd, err := in.start(role, core)
		if err != nil {
			return 0, err
		}
		stage = append(stage, cmd)
	}
	if role == "correlate" { // the store hears of what is read only now and then
		lag = func() (uint64, error) {
			done, err := in.taken(stage)
			return all - min(done, all), err
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

// matched is how many messages wait to be correlated, if none was yet.
func (in *installation) matched() (uint64, error) {
	nc, err := nats.Connect(in.nats.ClientURL())
	if err != nil {
		return 0, err
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		return 0, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	matches, err := js.Stream(ctx, "MATCHES")
	if err != nil {
		return 0, err
	}
	return matches.CachedInfo().State.Msgs, nil
}

// taken is how many messages processes have correlated.
func (in *installation) taken(stage []*exec.Cmd) (sum uint64, err error) {
	for _, cmd := range stage {
		resp, err := http.Get("http://" + in.admin[cmd] + "/metrics")
		if err != nil { // it has not started yet
			continue
		}
		text, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close() // it was read
		if err != nil {
			return 0, err
		}
		if _, rest, ok := strings.Cut(string(text), "\ntocsin_correlate_messages_total "); ok {
			line, _, _ := strings.Cut(rest, "\n")
			n, err := strconv.ParseFloat(line, 64)
			if err != nil {
				return 0, err
			}
			sum += uint64(n)
		}
	}
	return sum, nil
}
