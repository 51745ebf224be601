// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"time"

	"tocsin/api/auth"
)

// guard is the one way in. It finds out who asks, whether they may, and how often; it writes down what changes anything
// before that is done; it sets what every answer has, and measures.
func (s *server) guard(mux *router) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start := time.Now()
		rec := &recorder{ResponseWriter: w, code: http.StatusOK}
		h := rec.Header()
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=()")
		h.Set("Content-Security-Policy", "default-src 'self'; object-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'")
		if r.TLS != nil {
			h.Set("Strict-Transport-Security", "max-age=31536000")
		}
		handler := "console"
		switch {
		case strings.HasPrefix(r.URL.Path, "/api/"):
			handler = "api"
			s.guarded(rec, r, mux)
		case strings.HasPrefix(r.URL.Path, "/auth/"):
			handler = "auth"
			s.guarded(rec, r, mux)
		default:
			mux.ServeHTTP(rec, r)
		}
		if s.Durations != nil {
			s.Durations.WithLabelValues(handler, strconv.Itoa(rec.code)).Observe(time.Since(start).Seconds())
		}
	})
}

// act is one request, as far as it is known.
type act struct {
	// id is the operation's; "" if the request leads nowhere.
	id              string
	remote, request string
	who             auth.Principal
}

func (s *server) guarded(w *recorder, r *http.Request, mux *router) {
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	a := act{id: s.operation(mux, r), remote: auth.Remote(r, s.Proxies), request: requestID(r)}
	h.Set("X-Request-Id", a.request)
	if refused := s.admit(h, r, &a); refused != nil {
		s.refuse(w, r, a, refused)
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, 1<<20)
	r = r.WithContext(withAct(auth.With(r.Context(), a.who), a))
	// Without proof nothing can be done but to begin a login, whose end is written down where it is known.
	if a.id == "" || safe(r.Method) || asks[a.id] || a.who.Via == "" {
		mux.ServeHTTP(w, r)
		return
	}
	settle, refused := s.record(r.Context(), a, r.URL.Path)
	if refused != nil {
		s.refuse(w, r, a, refused)
		return
	}
	code := http.StatusInternalServerError // of a handler that panics
	defer func() { settle(code) }()
	mux.ServeHTTP(w, r)
	code = w.code
}

// admit finds out who asks and reports why they may not, nil if they may.
func (s *server) admit(h http.Header, r *http.Request, a *act) *auth.Refusal {
	if !s.byAddress.Take(h, auth.Network(a.remote)) {
		return &auth.Refusal{Status: http.StatusTooManyRequests, Reason: auth.TooMany, Detail: "too many requests from your address: wait as RateLimit says"}
	}
	op, known := auth.Operations()[a.id]
	public := known && op.Needs == ""
	var refused *auth.Refusal
	if a.who, refused = s.gate.Principal(r); refused != nil {
		if !public || refused.Reason != auth.NoProof && refused.Reason != auth.EndedSession {
			return refused
		}
		a.who = auth.Of(context.Background()) // nobody
	}
	if a.who.Via != "" && !s.byPrincipal.Take(h, a.who.Via+" "+a.who.Name) {
		return &auth.Refusal{Status: http.StatusTooManyRequests, Reason: auth.TooMany, Detail: "too many requests of yours: wait as RateLimit says"}
	}
	if a.who.Via == auth.ViaSession {
		if err := s.origins.Check(r); err != nil {
			return &auth.Refusal{Status: http.StatusForbidden, Reason: auth.CrossOrigin, Detail: "another site may not act for who is logged in here"}
		}
	}
	if a.id == "" {
		return nil // nothing is there, and that may be said
	}
	return auth.Allow(a.who, a.id)
}

// operation returns the id of what a request leads to: the OpenAPI id, else the pattern; "" if it leads nowhere.
func (s *server) operation(mux *router, r *http.Request) string {
	_, pattern := mux.Handler(r)
	if id := s.ids[pattern]; id != "" {
		return id
	}
	if pattern == "/api/" || pattern == "/" {
		return ""
	}
	return pattern
}

// What is asked of a rule at every pause of who writes it.
const (
	checkRules = "check-rules"
	traceRule  = "trace-rule"
)

// asks are POSTs that change nothing: they are not written down.
var asks = map[string]bool{checkRules: true, traceRule: true}

func safe(method string) bool {
	return method == http.MethodGet || method == http.MethodHead || method == http.MethodOptions
}

// refuse answers with the reason. What was forbidden is written down: somebody wanted what is not theirs.
func (s *server) refuse(w *recorder, r *http.Request, a act, refused *auth.Refusal) {
	if s.Refused != nil {
		s.Refused.WithLabelValues(refused.Reason).Inc()
	}
	// Nothing else says where a proof that is none came from; the rate of each address bounds the lines.
	if refused.Status == http.StatusUnauthorized && refused.Reason != auth.NoProof && refused.Reason != auth.EndedSession {
		s.Log.Warn("a proof was refused", "reason", refused.Reason, "remote", a.remote, "operation", a.id, "request", a.request)
	}
	if refused.Status == http.StatusForbidden && s.Store != nil {
		e := s.entry(a, r.URL.Path)
		e.Outcome, e.Status = auth.Refused, refused.Status
		if _, err := s.Store.Record(r.Context(), e); err != nil {
			s.Log.Warn("what was forbidden is not in the audit log", "actor", e.Actor, "operation", e.Operation, "err", err)
		}
	}
	writeRefusal(w, refused)
}

func (s *server) entry(a act, object string) auth.Entry {
	return auth.Entry{Actor: a.who.Name, Via: a.who.Via, Operation: a.id, Object: object, Remote: a.remote, Request: a.request}
}

// record writes down what is about to be done. The function that it returns writes what became of it, by the status of the
// answer.
func (s *server) record(ctx context.Context, a act, object string) (func(code int), *auth.Refusal) {
	lost := &auth.Refusal{Status: http.StatusServiceUnavailable, Reason: auth.NoAudit, Detail: "the audit log cannot be written, and nothing is done without: try again"}
	if s.Store == nil {
		return nil, lost
	}
	e := s.entry(a, object)
	e.Outcome = auth.Started
	id, err := s.Store.Record(ctx, e)
	if err != nil {
		s.Log.Warn("an act is refused: the audit log cannot be written", "actor", e.Actor, "operation", e.Operation, "err", err)
		return nil, lost
	}
	return func(code int) {
		outcome := auth.Done
		switch {
		case code == http.StatusForbidden:
			outcome = auth.Refused
		case code >= 400:
			outcome = auth.Failed
		}
		// Who asked may have gone away: what was done is done.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		if err := s.Store.Settle(ctx, id, outcome, code); err != nil {
			s.Log.Warn("an act stays started in the audit log", "id", id, "outcome", outcome, "err", err)
		}
	}, nil
}

const idLetters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-"

// requestID returns the one that a proxy gave, else a new one.
func requestID(r *http.Request) string {
	if id := r.Header.Get("X-Request-Id"); len(id) > 0 && len(id) <= 64 && strings.Trim(id, idLetters) == "" {
		return id
	}
	return rand.Text()
}

type actKey struct{}

func withAct(ctx context.Context, a act) context.Context { return context.WithValue(ctx, actKey{}, a) }

func actOf(ctx context.Context) act {
	a, _ := ctx.Value(actKey{}).(act)
	return a
}

// writeRefusal is a problem whose type ends with the reason.
func writeRefusal(w http.ResponseWriter, refused *auth.Refusal) {
	h := w.Header()
	switch refused.Status {
	case http.StatusUnauthorized:
		challenge := `Bearer realm="tocsin"`
		if refused.Reason != auth.NoProof {
			challenge += `, error="invalid_token"`
		}
		h.Set("WWW-Authenticate", challenge)
	case http.StatusTooManyRequests:
		h.Set("Retry-After", "1")
	case http.StatusServiceUnavailable:
		h.Set("Retry-After", "5")
	}
	p := problem(refused.Status, refused.Detail)
	p.Type += "#" + refused.Reason
	h.Set("Content-Type", "application/problem+json")
	w.WriteHeader(refused.Status)
	_ = json.NewEncoder(w).Encode(p) // a client that went away has its answer
}

// recorder notes the status.
type recorder struct {
	http.ResponseWriter
	code int
}

func (r *recorder) WriteHeader(code int) {
	r.code = code
	r.ResponseWriter.WriteHeader(code)
}

// Unwrap lets http.ResponseController flush.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }
