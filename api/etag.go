// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"tocsin/incident"
)

// tagged is an incident with the ETag of its state.
type tagged struct {
	ETag string `header:"ETag"`
	Body incident.View
}

func (s *server) tagged(ctx context.Context, id string) (*tagged, error) {
	v, err := s.Backend.Incident(ctx, id)
	if err != nil {
		return nil, failed(err)
	}
	return &tagged{`"` + v.Version + `"`, v}, nil
}

// etags reads a list of entity tags. A weak one is never the same as one of ours, which are strong, and is left out.
func etags(header string) (tags []string, every bool) {
	for part := range strings.SplitSeq(header, ",") {
		switch part = strings.TrimSpace(part); {
		case part == "*":
			every = true
		case len(part) > 1 && part[0] == '"' && part[len(part)-1] == '"':
			tags = append(tags, part[1:len(part)-1])
		}
	}
	return tags, every
}

// ifMatch returns the versions that an incident must have one of; nil is any.
func ifMatch(header string) ([]string, error) {
	if header == "" {
		return nil, problem(http.StatusPreconditionRequired, "If-Match is missing: send the ETag of the incident as you read it, so that nobody's change is lost")
	}
	tags, every := etags(header)
	switch {
	case every:
		return nil, nil
	case tags == nil:
		return []string{}, nil // what is no strong tag matches nothing
	}
	return tags, nil
}

// unchanged reports 304 if the reader has this state already. Here a weak tag is as good as a strong one.
func (t *tagged) unchanged(ifNoneMatch string) error {
	tags, every := etags(strings.ReplaceAll(ifNoneMatch, "W/", ""))
	if !every && !slices.Contains(tags, strings.Trim(t.ETag, `"`)) {
		return nil
	}
	return huma.ErrorWithHeaders(huma.Status304NotModified(), http.Header{"ETag": {t.ETag}})
}
