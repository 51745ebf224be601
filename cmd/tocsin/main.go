// SPDX-License-Identifier: Apache-2.0

// Command tocsin is the whole of Tocsin: a mini-SIEM in one binary.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	_ "time/tzdata" // mute times name places, and images have no database of theirs

	"github.com/spf13/cobra"

	"tocsin/rules"
)

// version is set by the build.
var version = "dev"

func main() {
	os.Exit(run(signalled(context.Background()), os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// usageError is a mistake of the user's: in the command line, the configuration or a rule. Exit code 2.
type usageError struct{ err error }

func (u *usageError) Error() string { return u.err.Error() }

func (u *usageError) Unwrap() error { return u.err }

// errSilent ends a command whose output says already what is wrong.
var errSilent = errors.New("failed")

// cli is what the commands share.
type cli struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	flags          flags
	// getenv is os.Getenv if it is nil.
	getenv func(string) string
	// points are set by tests alone.
	points points
}

// run is main without the process: tests call it with their own arguments and streams. It returns the exit code: 0 is
// well, 1 a failure, 2 a mistake in usage, configuration or rules.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	return runCLI(ctx, &cli{stdin: stdin, stdout: stdout, stderr: stderr}, args)
}

func runCLI(ctx context.Context, c *cli, args []string) int {
	root := newRootCommand(c)
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return 0
	}
	if !errors.Is(err, errSilent) {
		fmt.Fprintln(c.stderr, "tocsin:", err)
	}
	if _, usage := errors.AsType[*usageError](err); usage {
		return 2
	}
	return 1
}

func newRootCommand(c *cli) *cobra.Command {
	root := &cobra.Command{
		Use:           "tocsin",
		Short:         "Tocsin correlates security events into incidents",
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.SetIn(c.stdin)
	root.SetOut(c.stdout)
	root.SetErr(c.stderr)
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return &usageError{err} })
	c.flags.add(root.PersistentFlags())
	root.AddCommand(
		newServeCommand(c),
		newReplayCommand(c), newExplainCommand(c),
		newParseCommand(c),
		newRulesCommand(c),
		newIncidentsCommand(c),
		newEventsCommand(c),
		newQuarantineCommand(c),
		newSourcesCommand(c),
		newAlertsCommand(c), newSilencesCommand(c),
		newTokensCommand(c),
		newAuditCommand(c),
		newConfigCommand(c),
		newMigrateCommand(c),
		newVersionCommand(c),
	)
	strict(root)
	return root
}

// strict makes each mistake in arguments a mistake in usage, also the name of a command that there is not, for which
// cobra would print the help and be content.
func strict(cmd *cobra.Command) {
	if inner := cmd.Args; inner != nil {
		cmd.Args = func(cmd *cobra.Command, args []string) error {
			if err := inner(cmd, args); err != nil {
				return &usageError{fmt.Errorf("%s: %w", cmd.CommandPath(), err)}
			}
			return nil
		}
	}
	if cmd.HasSubCommands() && !cmd.Runnable() {
		cmd.Args = cobra.ArbitraryArgs
		cmd.RunE = func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return cmd.Help()
			}
			var names []string
			for _, sub := range cmd.Commands() {
				names = append(names, sub.Name())
			}
			if n := rules.Nearest(args[0], names); n != "" {
				return &usageError{fmt.Errorf("unknown command %q: did you mean %q?", args[0], cmd.CommandPath()+" "+n)}
			}
			return &usageError{fmt.Errorf("unknown command %q: see %s --help", args[0], cmd.CommandPath())}
		}
	}
	for _, sub := range cmd.Commands() {
		strict(sub)
	}
}

func newVersionCommand(c *cli) *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Print the version", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			_, err := fmt.Fprintln(c.stdout, "tocsin", version)
			return err
		},
	}
}
