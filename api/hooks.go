// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
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
		_, err = s.replied(ctx, alert.PagerDuty, r, ok, err) // PagerDuty has no ear for why nothing came of it
		return nil, err
	})
	huma.Register(h, huma.Operation{
		OperationID: "hook-slack", Method: http.MethodPost, Path: "/api/v1/hooks/slack", Summary: "The button of Slack's messages",
		Description: "What Slack sends to an app's interactivity URL, signed with one of the secrets of a receiver of type slack not more than five minutes ago; without any there is no such resource. " +
			"The button makes an incident that is new in_progress; of any other whoever pressed it is told at the response_url why it did nothing. Whatever else is signed is taken, and changes nothing.",
		DefaultStatus: http.StatusOK, Security: []map[string][]string{}, SkipValidateBody: true, MaxBodyBytes: maxHook,
	}, func(ctx context.Context, in *struct {
		Signature string `header:"X-Slack-Signature" doc:"v0= and the HMAC-SHA256 of v0, the time and the body in hex"`
		Time      string `header:"X-Slack-Request-Timestamp" doc:"seconds since the epoch"`
		RawBody   []byte `contentType:"application/x-www-form-urlencoded"`
	}) (*struct{}, error) {
		ctx, cancel := context.WithTimeout(ctx, hookTime)
		defer cancel()
		r, ok, err := s.Hooks.Slack(in.Signature, in.Time, in.RawBody, s.Now())
		why, err := s.replied(ctx, alert.Slack, r, ok, err)
		if err != nil || why == "" {
			return nil, err
		}
		if err := s.Hooks.Tell(ctx, r, "Nothing was changed: "+why); err != nil {
			s.Log.Warn("who pressed a button is not told why it did nothing", "incident", r.Incident, "why", why, "err", err)
			return nil, problem(http.StatusServiceUnavailable, why) // Slack says so beside the button
		}
		return nil, nil
	})
}

// replied does what a reply of some kind of receiver says. why is for the person if nothing was done.
func (s *server) replied(ctx context.Context, kind string, r alert.Reply, ok bool, err error) (why string, _ error) {
	a := actOf(ctx)
	switch {
	case errors.Is(err, alert.ErrNoHook):
		return "", problem(http.StatusNotFound, err.Error())
	case errors.Is(err, alert.ErrUnsigned):
		if s.Refused != nil {
			s.Refused.WithLabelValues(auth.UnsignedHook).Inc()
		}
		s.Log.Warn("a proof was refused", "reason", auth.UnsignedHook, "remote", a.remote, "operation", a.id, "request", a.request)
		p := problem(http.StatusUnauthorized, err.Error())
		p.Type += "#" + auth.UnsignedHook
		return "", huma.ErrorWithHeaders(p, http.Header{"WWW-Authenticate": {"HMAC-SHA256"}})
	case err != nil:
		return "", problem(http.StatusUnprocessableEntity, err.Error())
	case !ok:
		return "", nil
	}
	ctx, cancel := context.WithTimeout(ctx, hookTime)
	defer cancel()
	// Whoever brings it, it is done by who said it, to whatever incident they were told of.
	a.who = auth.Principal{Name: r.By, Via: kind}
	ctx = auth.With(ctx, a.who)
	for n := 1; ; n++ {
		why, err := s.apply(ctx, a, r)
		if !errors.Is(err, incident.ErrChanged) || n == hookTries {
			return answer(why, err)
		}
	}
}

// answer maps what became of a reply. That the incident is over, or another's part, or not there, is no failure: whoever tells us could do
// nothing about it, and would tell us again.
func answer(why string, err error) (string, error) {
	_, merged := errors.AsType[*incident.MergedError](err)
	switch {
	case err == nil:
		return why, nil
	case merged, errors.Is(err, incident.ErrNotFound):
		return "the incident was merged into another one, or is not there any more.", nil
	case errors.Is(err, incident.ErrKeyTaken):
		return "", nil // it came before, when there was nothing to do
	case errors.Is(err, incident.ErrFinal):
		return "the incident is closed.", nil
	case errors.Is(err, incident.ErrChanged):
		return "", problem(http.StatusServiceUnavailable, "the incident is being changed: try again")
	}
	if p, ok := errors.AsType[*huma.ErrorModel](err); ok {
		return "", p
	}
	return "", failed(err)
}

// apply sets the status that a reply says, if it is a step on: what people did here meanwhile is not undone, and why says what that
// was. It is written down first.
func (s *server) apply(ctx context.Context, a act, r alert.Reply) (why string, _ error) {
	views, _, err := s.Backend.Incidents(ctx, incident.Filter{IDs: []string{r.Incident}, Limit: 1})
	if err != nil {
		return "", err
	}
	if len(views) == 0 {
		return "", incident.ErrNotFound
	}
	v := views[0]
	from := []incident.Status{incident.New}
	if r.Status == incident.Resolved {
		from = []incident.Status{incident.New, incident.InProgress, incident.OnHold}
	}
	if !slices.Contains(from, v.Status) {
		// That it did nothing is kept with its key: if it came again later, or somebody sent it who saw it, it would undo what people did.
		_, err := s.Backend.Work(ctx, r.Incident, incident.Work{By: r.By, Key: r.Key})
		if errors.Is(err, incident.ErrKeyTaken) { // it did something when it came first
			err = nil
		}
		return standingOf(v), err
	}
	settle, refused := s.record(ctx, a, "/api/v1/incidents/"+r.Incident)
	if refused != nil {
		return "", problem(refused.Status, refused.Detail)
	}
	_, err = s.Backend.Work(ctx, r.Incident, incident.Work{Status: &r.Status, By: r.By, Key: r.Key, If: []string{v.Version}})
	code := http.StatusNoContent
	if err != nil {
		code = http.StatusConflict
	}
	settle(code)
	return "", err
}

// standingOf says in words how it stands with an incident.
func standingOf(v incident.View) string {
	who := ""
	if v.Assignee != nil && *v.Assignee != "" {
		who = ", assigned to " + *v.Assignee
	}
	return "the incident is " + strings.ReplaceAll(string(v.Status), "_", " ") + " already" + who + "."
}
