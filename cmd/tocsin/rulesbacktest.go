// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"tocsin/api"
	"tocsin/correlate"
)

// askEvery is how often a backtest is asked how far it is.
const askEvery = 300 * time.Millisecond

func newRulesBacktestCommand(c *cli) *cobra.Command {
	var since, until string
	cmd := &cobra.Command{
		Use: "backtest FILE", Short: "Say what a rule would have made of the events that the server keeps", Args: cobra.ExactArgs(1),
		Long: "Backtest sends a rule file to the server, which runs it through the same engine over the events that it keeps. It prints\n" +
			"the incidents that there would have been and, of rules with a condition, the keys that came part-way. Ctrl-C cancels it.",
		Example: "  tocsin rules backtest new-rule.yml --since 24h",
		RunE: func(cmd *cobra.Command, args []string) error {
			text, err := os.ReadFile(args[0])
			if err != nil {
				return err
			}
			cl, err := c.client()
			if err != nil {
				return err
			}
			body := map[string]string{"rule": string(text)}
			for name, v := range map[string]string{"since": since, "until": until} {
				if v != "" {
					body[name] = v
				}
			}
			var job api.Backtest
			if err := cl.get(cmd.Context(), http.MethodPost, "backtests", body, &job); err != nil {
				return err
			}
			if job, err = c.await(cmd.Context(), cl, job); err != nil {
				return err
			}
			return c.printBacktest(job)
		},
	}
	cmd.Flags().StringVar(&since, "since", "", "arrival from here on: RFC 3339, or a span back from now such as 24h (default: all that is kept)")
	cmd.Flags().StringVar(&until, "until", "", "arrival before this: RFC 3339, or a span back from now")
	c.clientFlags(cmd.Flags())
	return cmd
}

func newRulesNearCommand(c *cli) *cobra.Command {
	cmd := &cobra.Command{
		Use: "near RULE", Short: "Say how far the keys of a rule in force came", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			cl, err := c.client()
			if err != nil {
				return err
			}
			var near api.NearMisses
			if err := cl.get(cmd.Context(), http.MethodGet, "rules/"+url.PathEscape(args[0])+"/near", nil, &near); err != nil {
				return err
			}
			if c.flags.output == "json" {
				return c.printJSON(near)
			}
			c.printNear(near.Items)
			more := ""
			if !near.Complete {
				more = ", which is less than the rule reaches back"
			}
			fmt.Fprintf(c.stderr, "%d keys, since %s%s\n", near.Keys, near.Since, more)
			return nil
		},
	}
	c.clientFlags(cmd.Flags())
	return cmd
}

// await asks for a job until it has ended. If the caller goes away, also amid a question, the job is cancelled.
func (c *cli) await(ctx context.Context, cl *client, job api.Backtest) (api.Backtest, error) {
	reading := c.progress("messages read")
	defer reading.end()
	defer func() {
		if ctx.Err() == nil {
			return
		}
		end, stop := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer stop()
		if r, err := cl.do(end, http.MethodDelete, "backtests/"+job.ID); err == nil {
			_ = r.Close() // there is nothing in it
		}
	}()
	t := time.NewTicker(askEvery)
	defer t.Stop()
	for job.State == "waiting" || job.State == "running" {
		select {
		case <-ctx.Done():
			return job, ctx.Err()
		case <-t.C:
		}
		if err := cl.get(ctx, http.MethodGet, "backtests/"+job.ID, nil, &job); err != nil {
			return job, err
		}
		reading.at(int(job.Done), int(job.Of))
	}
	return job, nil
}

func (c *cli) printBacktest(job api.Backtest) error {
	if job.Result == nil {
		return fmt.Errorf("the backtest is %s: %s", job.State, job.Error)
	}
	if c.flags.output == "json" {
		return c.printJSON(job)
	}
	res := job.Result
	for _, in := range res.Incidents {
		var key []string
		for name, v := range in.Key {
			key = append(key, printable(fmt.Sprintf("%s=%v", name, v)))
		}
		slices.Sort(key)
		fmt.Fprintf(c.stdout, "%s to %s  %s  %s  %s  %d events\n", in.FirstEvent, in.LastEvent, in.Severity, printable(in.Title), strings.Join(key, " "), in.EventCount)
	}
	if n := res.IncidentCount - len(res.Incidents); n > 0 {
		fmt.Fprintf(c.stdout, "and %d more\n", n)
	}
	c.printNear(res.NearMisses)
	fmt.Fprintf(c.stderr, "%d events searched, %d matched: %d incidents\n", job.Searched, job.Matched, res.IncidentCount)
	if res.NearLeftOut {
		fmt.Fprintln(c.stderr, "there are too many matches to say which keys came part-way: take a shorter time")
	}
	if res.Stopped {
		fmt.Fprintf(c.stderr, "the rules fire so often that nothing after %s was looked at\n", res.Until)
	}
	return nil
}

func (c *cli) printNear(all []api.NearMiss) {
	for _, n := range all {
		near := correlate.Near{At: int64(n.At), Done: n.Done}
		for _, s := range n.Steps {
			near.Steps = append(near.Steps, correlate.Step(s))
		}
		var key []string
		for name, v := range n.Key {
			key = append(key, printable(fmt.Sprintf("%s=%v", name, v)))
		}
		slices.Sort(key)
		fmt.Fprintf(c.stdout, "%s  %s: %s\n", printable(n.Rule), strings.Join(key, " "), printable(came(near)))
	}
}
