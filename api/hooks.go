// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"tocsin/alert"
	"tocsin/api/auth"
	"tocsin/incident"
)

const (
	// maxHook bounds a body: Slack sends the message with what was pressed.
	maxHook = 512 << 10
	// hookTime is how long a hook takes at most: Slack waits for three seconds.
	hookTime = 2500 * time.Millisecond
	// hookTries is how often a reply is applied anew to an incident that was changed meanwhile.
	hookTries = 4
)

func (s *server) registerHooks(h huma.API) {
	huma.Register(h, huma.Operation{
		OperationID: "hook-pagerduty", Method: http.MethodPost, Path: "/api/v1/hooks/pagerduty", Summary: "What people do at PagerDuty",
		Description: "A webhook of version 3, signed with one of the secrets of a receiver of type pagerduty; without any there is no such resource. " +
			"incident.acknowledged makes an incident that is new in_progress, incident.resolved one that is open resolved. Whatever else is signed is taken, and changes nothing.",
		DefaultStatus: http.StatusNoContent, Security: []map[string][]string{}, SkipValidateBody: true, MaxBodyBytes: maxHook,
	}, func(ctx context.Context, in *struct {
		Signatures string `header:"X-PagerDuty-Signature" doc:"v1= and the HMAC-SHA256 of the body in hex, several with commas between"`
		RawBody    []byte `contentType:"application/json"`
	}) (*struct{}, error) {
		r, ok, err := s.Hooks.PagerDuty(in.Signatures, in.RawBody)
		return nil, s.replied(ctx, alert.PagerDuty, r, ok, err)
	})
	huma.Register(h, huma.Operation{
		OperationID: "hook-slack", Method: http.MethodPost, Path: "/api/v1/hooks/slack", Summary: "The button of Slack's messages",
		Description: "What Slack sends to an app's interactivity URL, signed with one of the secrets of a receiver of type slack not more than five minutes ago; without any there is no such resource. " +
			"The button makes an incident that is new in_progress. Whatever else is signed is taken, and changes nothing.",
		DefaultStatus: http.StatusOK, Security: []map[string][]string{}, SkipValidateBody: true, MaxBodyBytes: maxHook,
	}, func(ctx context.Context, in *struct {
		Signature string `header:"X-Slack-Signature" doc:"v0= and the HMAC-SHA256 of v0, the time and the body in hex"`
		Time      string `header:"X-Slack-Request-Timestamp" doc:"seconds since the epoch"`
		RawBody   []byte `contentType:"application/x-www-form-urlencoded"`
	}) (*struct{}, error) {
		r, ok, err := s.Hooks.Slack(in.Signature, in.Time, in.RawBody, s.Now())
		return nil, s.replied(ctx, alert.Slack, r, ok, err)
	})
}

// replied does what a reply of some kind of receiver says.
func (s *server) replied(ctx context.Context, kind string, r alert.Reply, ok bool, err error) error {
	a := actOf(ctx)
	switch {
	case errors.Is(err, alert.ErrNoHook):
		return problem(http.StatusNotFound, err.Error())
	case errors.Is(err, alert.ErrUnsigned):
		if s.Refused != nil {
			s.Refused.WithLabelValues(auth.UnsignedHook).Inc()
		}
		s.Log.Warn("a proof was refused", "reason", auth.UnsignedHook, "remote", a.remote, "operation", a.id, "request", a.request)
		p := problem(http.StatusUnauthorized, err.Error())
		p.Type += "#" + auth.UnsignedHook
		return huma.ErrorWithHeaders(p, http.Header{"WWW-Authenticate": {"HMAC-SHA256"}})
	case err != nil:
		return problem(http.StatusUnprocessableEntity, err.Error())
	case !ok:
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, hookTime)
	defer cancel()
	// Whoever brings it, it is done by who said it, to whatever incident they were told of.
	a.who = auth.Principal{Name: r.By, Via: kind}
	ctx = auth.With(ctx, a.who)
	for n := 1; ; n++ {
		err := s.apply(ctx, a, r)
		if !errors.Is(err, incident.ErrChanged) || n == hookTries {
			return answer(err)
		}
	}
}

// answer maps what became of a reply. That the incident is over, or another's part, or not there, is no failure: whoever tells us could do
// nothing about it, and would tell us again.
func answer(err error) error {
	_, merged := errors.AsType[*incident.MergedError](err)
	switch {
	case err == nil, merged, errors.Is(err, incident.ErrFinal), errors.Is(err, incident.ErrNotFound):
		return nil
	case errors.Is(err, incident.ErrChanged):
		return problem(http.StatusServiceUnavailable, "the incident is being changed: try again")
	}
	if p, ok := errors.AsType[*huma.ErrorModel](err); ok {
		return p
	}
	return failed(err)
}

// apply sets the status that a reply says, if it is a step on: what people did here meanwhile is not undone. It is written down first.
func (s *server) apply(ctx context.Context, a act, r alert.Reply) error {
	views, _, err := s.Backend.Incidents(ctx, incident.Filter{IDs: []string{r.Incident}, Limit: 1})
	if err != nil || len(views) == 0 {
		return err
	}
	v := views[0]
	from := []incident.Status{incident.New}
	if r.Status == incident.Resolved {
		from = []incident.Status{incident.New, incident.InProgress, incident.OnHold}
	}
	if !slices.Contains(from, v.Status) {
		return nil
	}
	settle, refused := s.record(ctx, a, "/api/v1/incidents/"+r.Incident)
	if refused != nil {
		return problem(refused.Status, refused.Detail)
	}
	_, err = s.Backend.Work(ctx, r.Incident, incident.Work{Status: &r.Status, By: r.By, Key: r.Key, If: []string{v.Version}})
	code := http.StatusNoContent
	if err != nil {
		code = http.StatusConflict
	}
	settle(code)
	return err
}
