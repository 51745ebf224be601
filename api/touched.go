// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"encoding/hex"
	"errors"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"tocsin/incident"
)

// maxChain is how far what an incident was merged into is followed: more than the store lets be merged one into the other.
const maxChain = 64

// touch does something to an incident that the path of the request does not name, and has an entry of its own for it in the audit log, with
// the operation and the request of the first: what was done with an incident is found by its path. Object goes on after it.
func (s *server) touch(ctx context.Context, id, object string, do func() error) error {
	b, err := hex.DecodeString(id)
	if err != nil || len(b) != 16 {
		return do() // there is no such incident, and the text is anybody's
	}
	settle, refused := s.record(ctx, actOf(ctx), "/api/v1/incidents/"+hex.EncodeToString(b)+object)
	if refused != nil {
		return problem(refused.Status, refused.Detail)
	}
	code := http.StatusInternalServerError // of one that panics
	defer func() { settle(code) }()
	err = do()
	if code = http.StatusOK; err != nil {
		code = problemOf(err).Status
	}
	return err
}

// problemOf is what is answered to an error.
func problemOf(err error) *huma.ErrorModel {
	if p, ok := errors.AsType[*huma.ErrorModel](err); ok {
		return p
	}
	p, _ := errors.AsType[*huma.ErrorModel](failed(err)) // it always is one
	return p
}

// shownWith returns the incident that one is shown with at last: itself, if it was merged into none.
func (s *server) shownWith(ctx context.Context, id string) (string, error) {
	for range maxChain {
		v, err := s.Backend.Incident(ctx, id)
		switch {
		case errors.Is(err, incident.ErrNotFound):
			return id, nil // what is to be done says so
		case err != nil || v.MergedInto == nil:
			return id, err
		}
		id = *v.MergedInto
	}
	return "", &incident.JoinError{Why: "too many incidents are merged one into the other"}
}
