// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/mod/sumdb/tlog"

	"tocsin/api"
	"tocsin/proof"
)

func newAuditCheckpoint(c *cli) *cobra.Command {
	return &cobra.Command{
		Use: "checkpoint", Short: "Print the newest signed checkpoint of the audit log, to be kept elsewhere", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cl, err := c.client()
			if err != nil {
				return err
			}
			var v api.CheckpointView
			if err := cl.get(cmd.Context(), http.MethodGet, "audit/checkpoint", nil, &v); err != nil {
				return err
			}
			if c.flags.output == "json" {
				if err := c.printJSON(v); err != nil {
					return err
				}
			} else {
				fmt.Fprint(c.stdout, v.Checkpoint)
				fmt.Fprintf(c.stderr, "%d entries, signed at %s by %s, the log last checked at %s\n", v.Size, v.SignedAt, v.PublicKey, orNever(v.CheckedAt))
			}
			if v.Problem != "" {
				return fmt.Errorf("the audit log does not verify: %s", printable(v.Problem))
			}
			return nil
		},
	}
}

func newAuditVerify(c *cli) *cobra.Command {
	var keyFile, since string
	cmd := &cobra.Command{
		Use: "verify [BUNDLE]", Short: "Check an evidence bundle offline, or that a running tocsin's audit log goes on from an earlier checkpoint",
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			var key string
			if keyFile != "" {
				b, err := os.ReadFile(keyFile)
				if err != nil {
					return &usageError{fmt.Errorf("--key: %w", err)}
				}
				key = strings.TrimSpace(string(b))
			}
			switch {
			case len(args) == 1 && since != "":
				return &usageError{errors.New("--since is for a running tocsin, and a bundle is checked without one")}
			case len(args) == 1:
				return c.verifyBundle(args[0], key)
			case since == "":
				return &usageError{errors.New("name a bundle, or with --since an earlier checkpoint")}
			}
			return c.verifySince(cmd, since, key)
		},
	}
	cmd.Flags().StringVar(&keyFile, "key", "", "file with the public key that has to have signed (default: whatever is with what is checked)")
	cmd.Flags().StringVar(&since, "since", "", "file with a checkpoint that was printed earlier, or with many of an anchor: the last counts")
	return cmd
}

// verifySince checks that the newest checkpoint of a running server has all that an earlier one had.
func (c *cli) verifySince(cmd *cobra.Command, since, key string) error {
	b, err := os.ReadFile(since)
	if err != nil {
		return &usageError{fmt.Errorf("--since: %w", err)}
	}
	earlier := proof.LastNote(string(b))
	cl, err := c.client()
	if err != nil {
		return err
	}
	// What it says of itself is believed once its signature is checked: with which key, if none is given, the server says.
	n, err := proof.Claimed(earlier)
	if err != nil {
		return &usageError{fmt.Errorf("--since %s: %w", since, err)}
	}
	var v api.CheckpointView
	if err := cl.get(cmd.Context(), http.MethodGet, "audit/checkpoint?since="+strconv.FormatInt(n, 10), nil, &v); err != nil {
		return err
	}
	if key == "" {
		key = v.PublicKey
	}
	before, err := proof.Checkpoint(earlier, key)
	if err != nil {
		return fmt.Errorf("%s: %w", since, err)
	}
	now, err := proof.Checkpoint(v.Checkpoint, key)
	if err != nil {
		return err
	}
	hashes := make(tlog.TreeProof, len(v.Consistency))
	for i, text := range v.Consistency {
		if hashes[i], err = tlog.ParseHash(text); err != nil {
			return fmt.Errorf("answer of %s: %w", cl.base, err)
		}
	}
	if err := proof.Extends(hashes, now, before); err != nil {
		return fmt.Errorf("the audit log was changed since %s: %w", since, err)
	}
	if v.Problem != "" {
		return fmt.Errorf("the audit log does not verify: %s", printable(v.Problem))
	}
	_, err = fmt.Fprintf(c.stdout, "the audit log of %d entries begins with the %d of %s\n", now.N, before.N, since)
	return err
}

// verifyBundle checks a bundle without any server, and says what holds.
func (c *cli) verifyBundle(name, key string) error {
	f, err := os.Open(name)
	if err != nil {
		return &usageError{err}
	}
	defer f.Close()
	v, err := proof.VerifyBundle(f, key)
	if err != nil {
		return fmt.Errorf("%s does not verify: %w", name, err)
	}
	fmt.Fprintf(c.stdout, "%s verifies: incident %s\n", name, v.Incident)
	fmt.Fprintf(c.stdout, "  files      %d, as they were signed\n", v.Files)
	fmt.Fprintf(c.stdout, "  events     %d, %d with the record that came in\n", v.Events, v.Records)
	switch {
	case v.Audit.Withheld != "":
		fmt.Fprintf(c.stdout, "  audit log  withheld: %s\n", printable(v.Audit.Withheld))
	default:
		fmt.Fprintf(c.stdout, "  audit log  %d acts, proved by a checkpoint of %d entries\n", v.Entries, v.Size)
		if v.Audit.More {
			fmt.Fprintln(c.stdout, "             there are more acts than the bundle has")
		}
	}
	fmt.Fprintf(c.stdout, "  rule       %s\n", ruleWords(v.Rule))
	if v.Server.Config != "" {
		fmt.Fprintf(c.stdout, "  server     tocsin %s, its configuration has the SHA-256 %s\n", printable(v.Server.Version), printable(v.Server.Config))
	}
	fmt.Fprintf(c.stdout, "  key        %s\n", v.Key)
	if key == "" {
		fmt.Fprintln(c.stderr, "the key is the bundle's own: compare it with one that you know, or give that with --key")
	}
	return nil
}

// ruleWords says which texts of the rule a bundle has.
func ruleWords(r proof.RulePart) string {
	now := proof.RuleFile + " is that in force"
	if r.Withheld != "" {
		now = "that in force is not there: " + printable(r.Withheld)
	}
	switch {
	case r.Revision == r.InForce && r.Withheld == "":
		return proof.RuleFile + " made the incident"
	case r.Revision == r.InForce:
		return "not there: " + printable(r.Withheld)
	case r.Then == nil:
		return "changed since the incident was made, and how it was then is not there; " + now
	case r.Then.Withheld != "":
		return "changed since the incident was made, and how it was then is not there: " + printable(r.Then.Withheld) + "; " + now
	}
	return "changed since: " + proof.RuleThenFile + " made the incident; " + now
}
