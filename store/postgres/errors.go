// SPDX-License-Identifier: Apache-2.0

package postgres

import (
	"errors"
	"fmt"
	"io"
	"net"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"tocsin/store"
)

// away marks an error as [store.ErrUnavailable] if the server is gone, is starting or stopping, is a standby, or has no
// connection left, or undid the work for another's sake. A refused password or a database that does not exist is a mistake of somebody's and stays one.
func away(err error) error {
	if err == nil || errors.Is(err, store.ErrUnavailable) {
		return err
	}
	gone := false
	if pg, ok := errors.AsType[*pgconn.PgError](err); ok {
		// Classes and codes of PostgreSQL's appendix A.
		gone = strings.HasPrefix(pg.Code, "08") || strings.HasPrefix(pg.Code, "57P0") ||
			pg.Code == "53300" || pg.Code == "25P03" || pg.Code == "40001" || pg.Code == "40P01" || demoted(err)
	} else if _, ok := errors.AsType[*pgconn.ConnectError](err); ok {
		gone = true
	} else if _, ok := errors.AsType[net.Error](err); ok {
		gone = true
	} else {
		gone = errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
	}
	if !gone {
		return err
	}
	if pg, ok := errors.AsType[*pgconn.PgError](err); ok && (pg.Code == "40001" || pg.Code == "40P01") {
		return fmt.Errorf("%w: %w: %w", store.ErrUnavailable, store.ErrUndone, err)
	}
	return fmt.Errorf("%w: %w", store.ErrUnavailable, err)
}

// demoted reports a server that was the primary and is a standby now: it takes no writes.
func demoted(err error) bool {
	pg, ok := errors.AsType[*pgconn.PgError](err)
	return ok && pg.Code == "25006"
}
