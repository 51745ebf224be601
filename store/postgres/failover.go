// SPDX-License-Identifier: Apache-2.0

package postgres

import (
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// connectFor is how long a host is waited for, where the URL does not say: with several the next one is tried then.
const connectFor = 2 * time.Second

// failOver has a URL of several hosts lead to the one that takes writes, soon, whichever it is by now. What the URL says by
// itself, connect_timeout or target_session_attrs, stays.
func failOver(url string, cfg *pgx.ConnConfig) {
	if !strings.Contains(url, "connect_timeout") && os.Getenv("PGCONNECT_TIMEOUT") == "" {
		cfg.ConnectTimeout = connectFor
	}
	if len(hosts(cfg)) > 1 && cfg.ValidateConnect == nil {
		cfg.ValidateConnect = pgconn.ValidateConnectTargetSessionAttrsReadWrite
	}
}

// hosts returns the hosts of a URL; one may be tried with TLS and without.
func hosts(cfg *pgx.ConnConfig) map[string]bool {
	all := map[string]bool{address(cfg.Host, cfg.Port): true}
	for _, f := range cfg.Fallbacks {
		all[address(f.Host, f.Port)] = true
	}
	return all
}

func address(host string, port uint16) string { return host + ":" + strconv.Itoa(int(port)) }
