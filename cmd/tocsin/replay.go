// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"sort"
	"time"

	"github.com/spf13/cobra"

	"tocsin/ingest"
	"tocsin/pipeline"
	"tocsin/rules"
)

// newReplayCommand is the engine offline.
func newReplayCommand(c *cli) *cobra.Command {
	var paths []string
	var shuffle uint64
	var duplicate, lenient bool
	var input, until string
	cmd := &cobra.Command{
		Use:   "replay --rules PATH [--rules PATH] FILE…",
		Short: "Run events from files through the rules and print the incidents",
		Long: "Replay runs NDJSON events (- is stdin) through the same engine as serve, and prints one JSON object\n" +
			"for each incident on stdout, sorted by first event. Statistics go to stderr.",
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			cfg, err := c.config()
			if err != nil {
				return err
			}
			if len(paths) == 0 {
				paths = cfg.Rules
			}
			set, err := c.replayRules(paths, lenient)
			if err != nil {
				return err
			}
			end := int64(0)
			if until != "" {
				t, err := time.Parse(time.RFC3339Nano, until)
				if err != nil {
					return &usageError{fmt.Errorf("--until: %w", err)}
				}
				end = t.UnixNano()
			}
			parser := ingest.NewParser(cfg.parserConfig())
			play := pipeline.NewReplay(set, parser, cfg.Lateness)
			bad := 0
			reading := c.progress("events read")
			for _, name := range args {
				n, err := c.records(name, func(raw []byte) error {
					reading.at(play.Len(), 0)
					return play.Add(input, raw)
				})
				if err != nil {
					return err
				}
				bad += n
			}
			if cmd.Flags().Changed("shuffle") {
				play.Shuffle(shuffle)
			}
			if duplicate {
				play.Duplicate()
			}
			reading.end()
			playing := c.progress("events played")
			play.Progress = playing.at
			res, err := play.Run(end, 0)
			playing.end()
			if err != nil {
				return err
			}
			out := bufio.NewWriter(c.stdout)
			enc := json.NewEncoder(out)
			enc.SetEscapeHTML(false)
			for _, v := range res.Incidents {
				if err := enc.Encode(v); err != nil {
					return err
				}
			}
			if err := out.Flush(); err != nil {
				return err
			}
			c.replayStats(play.Len(), bad, res)
			return nil
		},
	}
	f := cmd.Flags()
	f.StringArrayVar(&paths, "rules", nil, "rule file or directory (repeatable)")
	f.Uint64Var(&shuffle, "shuffle", 0, "permute the events with this seed")
	f.BoolVar(&duplicate, "duplicate", false, "deliver every event twice")
	f.BoolVar(&lenient, "lenient", false, "leave out rules that do not compile, and name them")
	f.StringVar(&input, "input", "", "the source that the records are of: falco, vector, … (default: plain records)")
	f.StringVar(&until, "until", "", "end of the clock, RFC 3339 (default: the last deadline)")
	return cmd
}

func (c *cli) replayRules(paths []string, lenient bool) (*rules.Set, error) {
	if !lenient {
		return loadRules(paths)
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
