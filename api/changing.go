// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"errors"
	"strings"

	"tocsin/incident"
)

// changePage is how many changes are read at a time.
const changePage = 50

// feed is what changes and can be followed.
type feed struct {
	// pulse beats when it has changed.
	pulse *pulse
	// last is the mark of now, shown what everybody may know of it.
	last  func(context.Context) (string, error)
	shown func(mark string) string
	// read sends a page of what changed after a mark and returns how far it came.
	read func(ctx context.Context, after string, send func(message) error) (string, error)
}

// after is what changes after a mark, from now on if it is "".
func (f feed) after(mark string) source {
	return func(ctx context.Context, send func(message) error) error {
		leave := f.pulse.join()
		defer leave()
		begin := func() (err error) {
			if mark, err = f.last(ctx); err != nil {
				return err
			}
			return send(message{id: f.shown(mark)})
		}
		if mark == "" {
			if err := begin(); err != nil {
				return err
			}
		}
		for {
			woken := f.pulse.next()
			err := error(nil)
			for before := ""; err == nil && mark != before; {
				before = mark
				mark, err = f.read(ctx, mark, send)
			}
			if errors.Is(err, incident.ErrBadCursor) || errors.Is(err, incident.ErrUnknownMark) {
				if err = send(message{event: "gap", data: gap{Reason: "unknown"}}); err == nil {
					err = begin()
				}
			}
			if err != nil {
				return err
			}
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-woken:
			}
		}
	}
}

// unnamed is the place of a mark, without the incident that it names and that may be nobody's to know: what was written at once comes
// again after it.
func unnamed(mark string) string {
	at, _, _ := strings.Cut(mark, ".")
	return at + "."
}

// views reads incidents by id.
func (s *server) views(ctx context.Context, f incident.Filter) (map[string]incident.View, error) {
	f.Limit = 2 * changePage // each may have a whole
	items, _, err := s.Backend.Incidents(ctx, f)
	if err != nil {
		return nil, err
	}
	out := make(map[string]incident.View, len(items))
	for _, v := range items {
		out[v.ID] = v
	}
	return out, nil
}
