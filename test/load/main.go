// SPDX-License-Identifier: Apache-2.0

// Command load sends process events at a rate to a real tocsin with a thousand rules, and measures what it takes, from the
// POST to the incident in the store that the API reads. With --rsigma it sends the same to rsigma's daemon afterwards.
//
//	go run ./test/load --rate 20000 --length 5m
//	scripts/with-postgres go run ./test/load --rate 20000 --length 5m
//	scripts/with-postgres go run ./test/load --scale match
package main

import (
	"flag"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"time"
)

// run is what one run is to be.
type run struct {
	rate    int // events a second, 0: as many as are taken
	length  time.Duration
	batch   int // events a request
	clients int
	rules   int
	corpora string
	profile string
}

func main() {
	var r run
	scale := flag.String("scale", "", "match or correlate: measure how much faster two processes of that role are than one, instead")
	percent := flag.Int("percent", 25, "with --scale, how much of its core each of those processes has; root")
	rsigma := flag.Bool("rsigma", false, "afterwards, the same for the daemon of rsigma, which has to be installed")
	flag.IntVar(&r.rate, "rate", 0, "events a second; 0 is as many as are taken")
	flag.DurationVar(&r.length, "length", 20*time.Second, "how long events are sent for")
	flag.IntVar(&r.batch, "batch", 500, "events a request")
	flag.IntVar(&r.clients, "clients", 8, "requests at once")
	flag.IntVar(&r.rules, "rules", 1000, "how many public Sigma rules of process creation are loaded")
	flag.StringVar(&r.corpora, "corpora", "../shared/corpora", "where the public rules are")
	flag.StringVar(&r.profile, "profile", "", "a file for a profile of tocsin's processor time")
	flag.Parse()
	if err := r.measure(*rsigma, *scale, *percent); err != nil {
		fmt.Fprintln(os.Stderr, "load:", err)
		os.Exit(1)
	}
}

func (r run) measure(rsigma bool, scale string, percent int) error {
	dir, err := os.MkdirTemp("", "tocsin-load-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	rules := filepath.Join(dir, "rules")
	if err := copyRules(r.corpora, rules, r.rules); err != nil {
		return err
	}
	if scale != "" {
		return r.scale(dir, rules, scale, percent)
	}
	t, err := startTocsin(dir, rules)
	if err != nil {
		return err
	}
	err = r.of(t)
	if stopped := t.stop(); err == nil {
		err = stopped
	}
	if err != nil || !rsigma {
		return err
	}
	if t, err = startRsigma(dir, rules); err != nil {
		return err
	}
	defer func() { _ = t.stop() }() // it is killed
	return r.of(t)
}

// copyRules takes so many public rules of process creation.
func copyRules(corpora, to string, n int) error {
	names, err := filepath.Glob(filepath.Join(corpora, "sigma/rules/windows/process_creation/*.yml"))
	if err != nil {
		return err
	}
	if len(names) < n {
		return fmt.Errorf("%d rules are in %s: --corpora names them", len(names), corpora)
	}
	if err := os.MkdirAll(to, 0o755); err != nil {
		return err
	}
	for _, name := range names[:n] {
		data, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(to, filepath.Base(name)), data, 0o600); err != nil {
			return err
		}
	}
	return os.WriteFile(filepath.Join(to, "probe.yml"), []byte(probeRule), 0o600)
}

// of sends to one target and prints what it took.
func (r run) of(t *target) error {
	transport := &http.Transport{MaxIdleConnsPerHost: r.clients}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport, Timeout: time.Minute}
	p := &prober{client: client, target: t}
	var wg sync.WaitGroup
	end := time.Now().Add(r.length)
	if t.incident != nil {
		wg.Go(func() { p.run(end) })
	}
	if r.profile != "" && t.profile != nil {
		wg.Go(func() {
			if err := t.profile(r.profile, r.length*8/10); err != nil {
				fmt.Fprintln(os.Stderr, "load: no profile:", err)
			}
		})
	}
	start := time.Now()
	sent, refused, err := r.send(client, t.post, end)
	if err != nil {
		return err
	}
	taken := time.Since(start)
	if err := t.settled(); err != nil {
		return err
	}
	took := time.Since(start)
	use := t.usage()
	wg.Wait()
	fmt.Printf("%s: %d events in %.1f s, decided %.1f s after the last: %.0f events/s; %d times asked to come again; %.1f us of processor time an event, %.1f of the client's; at most %d MiB\n",
		t.name, sent, taken.Seconds(), (took - taken).Seconds(), float64(sent)/took.Seconds(), refused,
		float64(use.processor.Microseconds())/float64(sent), float64(ownTime().Microseconds())/float64(sent), use.peak>>20)
	if n := len(p.took); n > 0 {
		slices.Sort(p.took)
		fmt.Printf("  from the POST to the incident: p50 %v, p99 %v, the slowest of %d %v\n",
			p.took[n/2].Round(time.Millisecond), p.took[n*99/100].Round(time.Millisecond), n, p.took[n-1].Round(time.Millisecond))
	}
	return p.err
}

func command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(name, args...)
	cmd.Stderr = os.Stderr
	return cmd
}
