// SPDX-License-Identifier: Apache-2.0

// Command tocsin is the whole of Tocsin: a mini-SIEM in one binary.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
)

// version is set by the build.
var version = "dev"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	os.Exit(run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
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
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				return &usageError{fmt.Errorf("unknown command %q: see tocsin --help", args[0])}
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetIn(c.stdin)
	root.SetOut(c.stdout)
	root.SetErr(c.stderr)
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return &usageError{err} })
	c.flags.add(root.PersistentFlags())
	root.AddCommand(
		newServeCommand(c),
		newReplayCommand(c),
		newParseCommand(c),
		newRulesCommand(c),
		newIncidentsCommand(c),
		newEventsCommand(c),
		newConfigCommand(c),
		newMigrateCommand(c),
		newVersionCommand(c),
	)
	return root
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
