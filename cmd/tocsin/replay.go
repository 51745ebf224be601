// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"sort"
	"time"

	"github.com/spf13/cobra"

	"tocsin/incident"
	"tocsin/ingest"
	"tocsin/pipeline"
	"tocsin/rules"
)

// newReplayCommand is the engine offline.
func newReplayCommand(c *cli) *cobra.Command {
	var o replayOptions
	var diff bool
	cmd := &cobra.Command{
		Use:   "replay --rules PATH [--rules PATH] FILE…",
		Short: "Run events from files through the rules and print the incidents",
		Long: "Replay runs NDJSON events (- is stdin) through the same engine as serve, and prints one JSON object\n" +
			"for each incident on stdout, sorted by first event. Statistics go to stderr.\n\n" +
			"With --diff OLD NEW FILE… it runs them through two sets of rules and prints one JSON object for each\n" +
			"incident that NEW adds, removes or changes.",
		Example: "  tocsin replay --rules rules.d events.ndjson\n  tocsin replay --diff rules.old rules.d events.ndjson",
		Args:    cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			cfg, err := c.config()
			if err != nil {
				return err
			}
			o.shuffled = cmd.Flags().Changed("shuffle")
			if diff {
				if len(args) < 3 || len(o.paths) > 0 {
					return &usageError{fmt.Errorf("--diff takes OLD NEW FILE…: two paths of rules in place of --rules, and events")}
				}
				return c.replayDiff(cmd.Context(), cfg, o, args[0], args[1], args[2:])
			}
			if len(o.paths) == 0 {
				o.paths = cfg.Rules
			}
			set, err := c.replayRules(cmd.Context(), o.paths, o.lenient)
			if err != nil {
				return err
			}
			plays, bad, err := c.readPlays(cfg, o, args, set)
			if err != nil {
				return err
			}
			res, err := c.play(plays[0], o)
			if err != nil {
				return err
			}
			if err := printLines(c.stdout, res.Incidents); err != nil {
				return err
			}
			c.replayStats(plays[0].Len(), bad, res)
			return nil
		},
	}
	f := cmd.Flags()
	f.StringArrayVar(&o.paths, "rules", nil, "rule file or directory (repeatable)")
	f.Uint64Var(&o.shuffle, "shuffle", 0, "permute the events with this seed")
	f.BoolVar(&o.duplicate, "duplicate", false, "deliver every event twice")
	f.BoolVar(&o.lenient, "lenient", false, "leave out rules that do not compile, and name them")
	f.BoolVar(&diff, "diff", false, "print what incidents the rules NEW add, remove and change against the rules OLD")
	f.StringVar(&o.input, "input", "", "the source that the records are of: falco, vector, … (default: plain records)")
	f.StringVar(&o.until, "until", "", "end of the input and of the clock, RFC 3339 (default: the last event, the last deadline)")
	return cmd
}

// replayOptions are the flags of replay.
type replayOptions struct {
	paths              []string
	shuffle            uint64
	shuffled           bool
	duplicate, lenient bool
	input, until       string
}

// readPlays reads events from files, once, into a replay of each Set; bad counts what could not be read.
func (c *cli) readPlays(cfg Config, o replayOptions, files []string, sets ...*rules.Set) (plays []*pipeline.Replay, bad int, err error) {
	parser := ingest.NewParser(cfg.parserConfig())
	for _, set := range sets {
		plays = append(plays, pipeline.NewReplay(set, parser, cfg.Lateness))
	}
	reading := c.progress("events read")
	defer reading.end()
	for _, name := range files {
		n, err := c.records(name, func(raw []byte) error {
			reading.at(plays[0].Len(), 0)
			for _, p := range plays {
				if err := p.Add(o.input, raw); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return nil, bad, err
		}
		bad += n
	}
	return plays, bad, nil
}

// play runs one replay.
func (c *cli) play(p *pipeline.Replay, o replayOptions) (pipeline.Result, error) {
	end := int64(0)
	if o.until != "" {
		t, err := time.Parse(time.RFC3339Nano, o.until)
		if err != nil {
			return pipeline.Result{}, &usageError{fmt.Errorf("--until: %w", err)}
		}
		end = t.UnixNano()
	}
	if o.shuffled {
		p.Shuffle(o.shuffle)
	}
	if o.duplicate {
		p.Duplicate()
	}
	playing := c.progress("events played")
	defer playing.end()
	p.Progress = playing.at
	return p.Run(end, 0)
}

// replayDiff prints what one set of rules makes of events that another does not.
func (c *cli) replayDiff(ctx context.Context, cfg Config, o replayOptions, older, newer string, files []string) error {
	var sets []*rules.Set
	for _, path := range []string{older, newer} {
		set, err := c.replayRules(ctx, []string{path}, o.lenient)
		if err != nil {
			return err
		}
		sets = append(sets, set)
	}
	plays, bad, err := c.readPlays(cfg, o, files, sets...)
	if err != nil {
		return err
	}
	var found [2][]incident.View
	ahead := 0
	for i, p := range plays {
		res, err := c.play(p, o)
		if err != nil {
			return err
		}
		found[i], ahead = res.Incidents, res.Ahead
	}
	differences, same, err := pipeline.Differences(found[0], found[1])
	if err != nil {
		return err
	}
	if err := printLines(c.stdout, differences); err != nil {
		return err
	}
	n := make(map[string]int)
	for _, d := range differences {
		n[d.Change]++
	}
	fmt.Fprintf(c.stderr, "%d events, %d not read: %d incidents added, %d removed, %d changed, %d the same\n",
		plays[0].Len(), bad, n["added"], n["removed"], n["changed"], same)
	c.leftOut(ahead)
	return nil
}

// printLines prints each value as a line of JSON.
func printLines[T any](w io.Writer, all []T) error {
	out := bufio.NewWriter(w)
	enc := json.NewEncoder(out)
	enc.SetEscapeHTML(false)
	for i := range all {
		if err := enc.Encode(all[i]); err != nil {
			return err
		}
	}
	return out.Flush()
}

func (c *cli) replayRules(ctx context.Context, paths []string, lenient bool) (*rules.Set, error) {
	if !lenient {
		return loadRules(ctx, paths)
	}
	files, err := readRules(paths)
	if err != nil {
		return nil, err
	}
	set, errs := rules.CompileLenient(files)
	for _, err := range errs {
		fmt.Fprintf(c.stderr, "left out: %v\n", err)
	}
	return set, nil
}

func (c *cli) replayStats(events, bad int, res pipeline.Result) {
	fmt.Fprintf(c.stderr, "%d events, %d not read, %d incidents\n", events, bad, len(res.Incidents))
	c.leftOut(res.Ahead)
	var ids []string
	for id := range res.Stats {
		ids = append(ids, id)
	}
	sort.Strings(ids)
	for _, id := range ids {
		s := res.Stats[id]
		fmt.Fprintf(c.stderr, "%s: %d matches, %d keys, %d unkeyed, %d excepted, %d late, furthest step %d, %d detections\n",
			id, s.Matched, s.Keys, s.Unkeyed, s.Excepted, s.Late, s.Furthest, s.Detections)
	}
	if res.Bug != nil {
		fmt.Fprintln(c.stderr, res.Bug)
	}
}

func (c *cli) leftOut(ahead int) {
	if ahead > 0 {
		fmt.Fprintf(c.stderr, "%d of the events arrive after --until and are left out\n", ahead)
	}
}

// records passes each record of a file to fn, and says on stderr, with its line, what is no record or what fn
// does not take; bad counts those.
func (c *cli) records(name string, fn func(raw []byte) error) (bad int, err error) {
	in := c.stdin
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return 0, err
		}
		defer f.Close()
		in = f
	}
	r := bufio.NewReaderSize(in, 1<<20)
	for line := 1; ; line++ {
		raw, err := r.ReadBytes('\n')
		records, broken := ingest.Split(raw)
		for _, b := range broken {
			bad++
			fmt.Fprintf(c.stderr, "%s:%d: %s: %v\n", name, line, b.Reason, b.Err)
		}
		for _, rec := range records {
			if err := fn(rec); err != nil {
				bad++
				fmt.Fprintf(c.stderr, "%s:%d: %v\n", name, line, err)
			}
		}
		if err == io.EOF {
			return bad, nil
		}
		if err != nil {
			return bad, fmt.Errorf("%s: %w", name, err)
		}
	}
}
