// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"net/http"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
	"github.com/prometheus/client_golang/prometheus"

	"tocsin/event"
	"tocsin/incident"
	"tocsin/rules"
)

// ErrClosed says that an incident is closed already.
var ErrClosed = errors.New("the incident is closed already")

// Backend is what the API needs of the rest.
type Backend interface {
	Incidents(ctx context.Context, f incident.Filter) ([]incident.View, string, error)
	Incident(ctx context.Context, id string) (incident.View, error)
	Evidence(ctx context.Context, id string, limit int, cursor string) ([]incident.EvidenceItem, string, error)
	// Close closes an incident through the log and returns it as it is then; ErrClosed if it was.
	Close(ctx context.Context, id string, verdict incident.Verdict, by string) (incident.View, error)
	Rules() []*rules.Rule
	// ReloadRules reads the rule files again and puts them in force; a [BadRulesError] says that they are wrong.
	ReloadRules(ctx context.Context) (Reloaded, error)
	RuleStats(ctx context.Context) (map[string]map[string]int64, error)
	Status(ctx context.Context) (Status, error)
	Alerts(ctx context.Context, state string, limit int, cursor string) ([]AlertView, string, error)
	// Sources returns what has been seen of each source and host.
	Sources(ctx context.Context) ([]SourceView, error)
	// RetryAlert makes a dead alert pending again.
	RetryAlert(ctx context.Context, id int64) error
	// Tail passes each event that comes from now on to fn, until ctx ends or fn fails.
	Tail(ctx context.Context, fn func(any) error) error
}

// BadRulesError says what is wrong with the rule files: the rules in force stay.
type BadRulesError struct{ Mistakes []string }

func (e *BadRulesError) Error() string { return strings.Join(e.Mistakes, "\n") }

// Config is what the API needs.
type Config struct {
	Backend Backend
	// Token is the admin token.
	Token   string
	Console http.Handler
	// Durations observes each request, by handler and code.
	Durations prometheus.ObserverVec
	// Now is the clock, for times that are given as a span back.
	Now func() time.Time
}

type server struct {
	Config
	sum [32]byte
}

// New returns the handler of the API, the OpenAPI document and the console.
func New(c Config) http.Handler {
	s := &server{Config: c, sum: sha256.Sum256([]byte(c.Token))}
	mux := http.NewServeMux()
	cfg := huma.DefaultConfig("Tocsin", "1")
	cfg.CreateHooks = nil // no $schema in answers
	cfg.DocsPath, cfg.SchemasPath = "", ""
	cfg.Transformers = []huma.Transformer{typed}
	// A filter that is misspelt must not quietly select everything.
	cfg.RejectUnknownQueryParameters = true
	// A Stamp is a number only inside.
	cfg.Components.Schemas.RegisterTypeAlias(reflect.TypeFor[event.Stamp](), reflect.TypeFor[*time.Time]())
	cfg.Components.SecuritySchemes = map[string]*huma.SecurityScheme{"token": {Type: "http", Scheme: "bearer"}}
	cfg.Security = []map[string][]string{{"token": {}}}
	h := humago.New(mux, cfg)
	s.registerIncidents(h)
	s.registerRest(h)
	mux.HandleFunc("GET /api/v1/events/tail", s.tail)
	h.OpenAPI().AddOperation(&huma.Operation{
		OperationID: "tail-events", Method: http.MethodGet, Path: "/api/v1/events/tail", Summary: "Events from now on, one JSON object a line",
		Responses: map[string]*huma.Response{
			"200": {Description: "OK", Content: map[string]*huma.MediaType{"application/x-ndjson": {}}},
		},
	})
	mux.HandleFunc("/api/", func(w http.ResponseWriter, _ *http.Request) {
		writeProblem(w, http.StatusNotFound, "there is no such resource: see /openapi.json")
	})
	if c.Console != nil {
		mux.Handle("/", c.Console)
	}
	return s.guard(mux)
}

// guard authenticates, sets what every answer has, and measures.
func (s *server) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start := time.Now()
		rec := &recorder{ResponseWriter: w, code: http.StatusOK}
		h := rec.Header()
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Content-Security-Policy", "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'")
		handler := "console"
		if strings.HasPrefix(r.URL.Path, "/api/") {
			handler = "api"
			h.Set("Cache-Control", "no-store")
			if !s.authorised(r) {
				h.Set("WWW-Authenticate", "Bearer")
				writeProblem(rec, http.StatusUnauthorized, "the token is missing or wrong: send Authorization: Bearer TOKEN")
			} else {
				r.Body = http.MaxBytesReader(rec, r.Body, 1<<20)
				next.ServeHTTP(rec, r)
			}
		} else {
			next.ServeHTTP(rec, r)
		}
		if s.Durations != nil {
			s.Durations.WithLabelValues(handler, strconv.Itoa(rec.code)).Observe(time.Since(start).Seconds())
		}
	})
}

func (s *server) authorised(r *http.Request) bool {
	scheme, token, ok := strings.Cut(r.Header.Get("Authorization"), " ")
	sum := sha256.Sum256([]byte(strings.TrimSpace(token)))
	// Without a token of its own the server lets nobody in.
	return s.Token != "" && ok && strings.EqualFold(scheme, "bearer") && subtle.ConstantTimeCompare(sum[:], s.sum[:]) == 1
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

// problemType is where the types of problems begin.
const problemType = "https://tocsin.dev/problems/"

// problem makes an error of the API; the type names its status.
func problem(status int, detail string) *huma.ErrorModel {
	return &huma.ErrorModel{
		Type: typeOf(status), Title: http.StatusText(status), Status: status, Detail: detail,
	}
}

func typeOf(status int) string {
	return problemType + strings.ToLower(strings.ReplaceAll(http.StatusText(status), " ", "-"))
}

// typed gives the errors that huma makes the form of ours. What was sent is not sent back: it may be the
// whole body, and it may be a secret in the wrong place.
func typed(_ huma.Context, _ string, v any) (any, error) {
	if m, ok := v.(*huma.ErrorModel); ok {
		if m.Type == "" {
			m.Type = typeOf(m.Status)
		}
		for _, d := range m.Errors {
			d.Value = nil
		}
	}
	return v, nil
}

func writeProblem(w http.ResponseWriter, status int, detail string) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(problem(status, detail)) // a client that went away has its answer
}

// failed maps an error of the backend. What is the server's own is not told to strangers.
func failed(err error) error {
	switch {
	case errors.Is(err, incident.ErrNotFound):
		return problem(http.StatusNotFound, "there is none with this id")
	case errors.Is(err, incident.ErrBadCursor):
		return problem(http.StatusUnprocessableEntity, "cursor: it belongs to another list or filter: begin again without it")
	case errors.Is(err, ErrClosed):
		return problem(http.StatusConflict, ErrClosed.Error())
	}
	return problem(http.StatusServiceUnavailable, "the store does not answer")
}

// tail streams events as lines of JSON.
func (s *server) tail(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/x-ndjson")
	flush := http.NewResponseController(w)
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	_ = flush.Flush() // the client sees that it is connected
	err := s.Backend.Tail(r.Context(), func(v any) error {
		if err := enc.Encode(v); err != nil {
			return err
		}
		return flush.Flush()
	})
	if err != nil && r.Context().Err() == nil {
		_ = enc.Encode(problem(http.StatusServiceUnavailable, "the tail ended: the stream does not answer")) // the connection ends with it
	}
}
