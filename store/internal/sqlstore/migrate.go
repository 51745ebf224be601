// SPDX-License-Identifier: Apache-2.0

package sqlstore

import (
	"context"
	"fmt"

	"github.com/pressly/goose/v3"

	"tocsin/store"
)

// Migrate brings the tables up to the provider's last version.
func Migrate(ctx context.Context, p *goose.Provider) error {
	have, want, err := Version(ctx, p)
	if err != nil {
		return err
	}
	if have > want {
		return fmt.Errorf("%w: its tables are of version %d, this binary knows %d", store.ErrNewer, have, want)
	}
	if _, err := p.Up(ctx); err != nil {
		return fmt.Errorf("store: migrate: %w", err)
	}
	return nil
}

// Version returns the version of the tables and the provider's last one.
func Version(ctx context.Context, p *goose.Provider) (have, want int64, err error) {
	have, want, err = p.GetVersions(ctx)
	if err != nil {
		return 0, 0, fmt.Errorf("store: version of the tables: %w", err)
	}
	return have, want, nil
}
