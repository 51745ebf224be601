// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"net/url"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/spf13/cobra"

	"tocsin/store/open"
)

// masked stands for a secret.
const masked = "********"

func newConfigCommand(c *cli) *cobra.Command {
	cmd := &cobra.Command{Use: "config", Short: "Look at the configuration"}
	cmd.AddCommand(&cobra.Command{
		Use: "check", Short: "Read the configuration and print what is in force, without secrets", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			cfg, err := c.config()
			if err != nil {
				return err
			}
			mask(&cfg)
			b, err := yaml.MarshalWithOptions(cfg, yaml.CustomMarshaler(func(d time.Duration) ([]byte, error) {
				return []byte(d.String()), nil
			}))
			if err != nil {
				return err
			}
			_, err = c.stdout.Write(b)
			return err
		},
	})
	return cmd
}

func mask(cfg *Config) {
	for _, s := range []*string{&cfg.API.Token, &cfg.Ingest.Token} {
		if *s != "" {
			*s = masked
		}
	}
	for i := range cfg.Ingest.Tokens {
		cfg.Ingest.Tokens[i].Value = masked
	}
	for i := range cfg.Alert.Receivers {
		for j := range cfg.Alert.Receivers[i].Secrets {
			cfg.Alert.Receivers[i].Secrets[j] = masked
		}
	}
	if u, err := url.Parse(cfg.Store.URL); err == nil && u.User != nil {
		u.User = url.UserPassword(u.User.Username(), masked)
		cfg.Store.URL = u.String()
	}
}

func newMigrateCommand(c *cli) *cobra.Command {
	return &cobra.Command{
		Use: "migrate", Short: "Bring the store's tables up to this version", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := c.config()
			if err != nil {
				return err
			}
			ctx, cancel := context.WithTimeout(cmd.Context(), 10*time.Minute)
			defer cancel()
			s, err := open.Store(ctx, cfg.storeURL())
			if err != nil {
				return fmt.Errorf("store.url: %w", err)
			}
			defer s.Close()
			before, want, err := s.Version(ctx)
			if err != nil {
				return err
			}
			if err := s.Migrate(ctx); err != nil {
				return err
			}
			_, err = fmt.Fprintf(c.stdout, "the tables were at version %d and are at %d\n", before, want)
			return err
		},
	}
}
