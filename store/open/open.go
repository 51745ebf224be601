// SPDX-License-Identifier: Apache-2.0

// Package open picks the store that a URL names.
//
// It is the one place that knows both implementations; it opens and does nothing else: whoever starts the
// program decides when to migrate. A URL of neither kind is an error that names the two forms.
package open

import (
	"context"
	"fmt"
	"net/url"
	"strings"

	"tocsin/store"
	"tocsin/store/postgres"
	"tocsin/store/sqlite"
)

// Store opens the store of a URL: postgres://… (or postgresql://…), or sqlite:PATH.
func Store(ctx context.Context, where string) (store.Store, error) {
	if path, ok := strings.CutPrefix(where, "sqlite:"); ok && path != "" {
		// Either form of the interface must not hold a nil pointer of a store.
		s, err := sqlite.Open(ctx, path)
		if err != nil {
			return nil, err
		}
		return s, nil
	}
	if strings.HasPrefix(where, "postgres://") || strings.HasPrefix(where, "postgresql://") {
		s, err := postgres.Open(ctx, where)
		if err != nil {
			return nil, err
		}
		return s, nil
	}
	// The URL may hold a password: say no more of it than its scheme.
	scheme := ""
	if u, err := url.Parse(where); err == nil {
		scheme = u.Scheme
	}
	return nil, fmt.Errorf("store: url of kind %q: use postgres://… or sqlite:PATH", scheme)
}
