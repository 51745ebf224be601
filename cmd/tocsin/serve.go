// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/spf13/cobra"
)

func newServeCommand(c *cli) *cobra.Command {
	var demo bool
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Take events in, correlate them, and tell of incidents",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := c.config()
			if err != nil {
				return err
			}
			if demo && !cfg.runsAll() {
				return &usageError{errors.New("--demo shows an attack from its records to its incident: it needs a process that runs all roles")}
			}
			if demo && cfg.Ingest.TLS.Cert != "" {
				return &usageError{errors.New("--demo posts to itself without TLS: leave ingest.tls out")}
			}
			if demo && c.flags.data == "" && os.Getenv("TOCSIN_DATA") == "" {
				cfg.Data = filepath.Join(os.TempDir(), fmt.Sprintf("tocsin-demo-%d", os.Getuid()))
			}
			return c.serve(cmd.Context(), cfg, demo)
		},
	}
	cmd.Flags().StringArrayVar(&c.flags.rules, "rules", nil, "rule file or directory (repeatable, default ./rules.d)")
	cmd.Flags().StringSliceVar(&c.flags.roles, "roles", nil, "roles to run (default all)")
	cmd.Flags().BoolVar(&demo, "demo", false, "play a recorded attack into a data directory of its own")
	return cmd
}

// serve runs a node until ctx ends.
func (c *cli) serve(ctx context.Context, cfg Config, demo bool) error {
	log := newLogger(cfg, c.stderr)
	signal.Ignore(syscall.SIGXFSZ) // a limit on file sizes is a full disk, and no reason to crash
	var err error
	preset := cfg.API.Token != ""
	if cfg.runs(roleAPI) {
		if cfg.API.Token, err = adminToken(cfg); err != nil {
			return err
		}
	}
	reg := prometheus.NewRegistry()
	reg.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	n := &node{cfg: cfg, preset: preset, log: log, reg: reg, points: c.points, out: c.stdout}
	if demo && len(cfg.Alert.Receivers) == 0 {
		n.out = alertLines{c.stdout}
	}
	defer n.close()
	if err := n.start(ctx); err != nil {
		return err
	}
	n.announce(c.stdout)
	if c.points.started != nil {
		c.points.started(n)
	}
	if demo {
		go n.playDemo(ctx, c.stdout)
	}
	err = n.run(ctx)
	log.Info("stopped")
	return err
}

// announce says what runs, and where it can be reached.
func (n *node) announce(w io.Writer) {
	if n.cfg.runsAll() {
		fmt.Fprintf(w, "tocsin %s: %d rules, data in %s\n", version, len(n.sets.Current().Rules), n.cfg.Data)
	} else {
		fmt.Fprintf(w, "tocsin %s: %s\n", version, strings.Join(n.cfg.Roles, ", "))
	}
	if n.api != nil {
		login := "#token=" + n.cfg.API.Token
		if n.preset { // whoever gave it knows it, and what is said here may be kept in a log
			login = ""
		}
		fmt.Fprintf(w, "  incidents  %s://%s/%s\n", scheme(n.cfg.API.TLS.Cert), n.api.Addr(), login)
	}
	if n.ingest != nil {
		fmt.Fprintf(w, "  ingest     %s://%s/ingest/vector and /ingest/falco\n", scheme(n.cfg.Ingest.TLS.Cert), n.ingest.Addr())
	}
	fmt.Fprintf(w, "  metrics    http://%s/metrics\n", n.admin.Addr())
}

func newLogger(cfg Config, w io.Writer) *slog.Logger {
	var level slog.Level
	if err := level.UnmarshalText([]byte(cfg.Log.Level)); err != nil {
		level = slog.LevelInfo // validate has refused anything else
	}
	opts := &slog.HandlerOptions{Level: level}
	if cfg.Log.Format == "json" {
		return slog.New(slog.NewJSONHandler(w, opts))
	}
	return slog.New(slog.NewTextHandler(w, opts))
}

// tokenFile is where the admin token is kept, in the data directory.
const tokenFile = "admin-token"

// adminToken returns the preset token, else the one that the data directory keeps; a first start makes one.
func adminToken(cfg Config) (string, error) {
	if cfg.API.Token != "" {
		return cfg.API.Token, nil
	}
	name := filepath.Join(cfg.Data, tokenFile)
	b, err := os.ReadFile(name)
	if err == nil && len(strings.TrimSpace(string(b))) > 0 {
		return strings.TrimSpace(string(b)), nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("admin token: %w", err)
	}
	var raw [32]byte
	if _, err := rand.Read(raw[:]); err != nil {
		return "", fmt.Errorf("admin token: %w", err)
	}
	token := "tocsin_" + base64.RawURLEncoding.EncodeToString(raw[:])
	if err := os.MkdirAll(cfg.Data, 0o700); err != nil {
		return "", fmt.Errorf("data directory: %w", err)
	}
	if err := os.WriteFile(name, []byte(token+"\n"), 0o600); err != nil {
		return "", fmt.Errorf("admin token: %w", err)
	}
	return token, nil
}

// waitReady waits until every part answers.
func (n *node) waitReady(ctx context.Context) error {
	for {
		bad := n.unready(ctx)
		if len(bad) == 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("not ready: %v", bad)
		case <-time.After(50 * time.Millisecond):
		}
	}
}
