// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"tocsin/store/open"
)

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
