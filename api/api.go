// SPDX-License-Identifier: Apache-2.0

package api

import (
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"reflect"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
	"github.com/prometheus/client_golang/prometheus"

	"tocsin/alert"
	"tocsin/api/auth"
	"tocsin/event"
	"tocsin/incident"
)

// Config is what the API needs.
type Config struct {
	Backend Backend
	// Hooks read what receivers say back.
	Hooks alert.Hooks
	// Version is the program's.
	Version string
	// Settings is the SHA-256 of the configuration without its secrets, in hex.
	Settings string
	// Token is the admin token.
	Token string
	// Store keeps tokens, sessions and the audit log; without one there are none, and nothing may be changed.
	Store auth.Store
	// Proofs keeps the audit log's tree; without one nothing is proved.
	Proofs AuditProofs
	// OIDC is nil if no provider is configured.
	OIDC    *auth.OIDC
	Console http.Handler
	// PrincipalRate and AddressRate are requests a second that each may make; 0 is as many as come.
	PrincipalRate, AddressRate int
	// Proxies are believed in what they say of whom they ask for.
	Proxies []netip.Prefix
	// Refused counts requests that were refused, by reason.
	Refused *prometheus.CounterVec
	Log     *slog.Logger
	// Durations observes each request, by handler and code.
	Durations prometheus.ObserverVec
	// Now is the clock, for times that are given as a span back.
	Now func() time.Time
	// Stop, once it is closed, ends the streams of server-sent events; nil never does.
	Stop <-chan struct{}
}

type server struct {
	Config
	gate                   *auth.Gate
	byPrincipal, byAddress *auth.Limiter
	origins                *http.CrossOriginProtection
	seats                  *seats
	pace                   pace
	// incidentPulse beats when incidents or their detections change, deliveryPulse when alerts are told.
	incidentPulse, deliveryPulse *pulse
	// ids are the OpenAPI ids of operations, by method and path.
	ids map[string]string
}

// New returns the handler of the API, the OpenAPI document and the console.
func New(c Config) http.Handler {
	s, mux := build(c)
	return s.guard(mux)
}

// router notes what is registered with it.
type router struct {
	http.ServeMux
	patterns []string
}

// HandleFunc implements [humago.Mux].
func (m *router) HandleFunc(pattern string, fn func(http.ResponseWriter, *http.Request)) {
	m.patterns = append(m.patterns, pattern)
	m.ServeMux.HandleFunc(pattern, fn)
}

// build registers everything that is served.
func build(c Config) (*server, *router) {
	s := newServer(c)
	mux := &router{}
	cfg := huma.DefaultConfig("Tocsin", "1")
	cfg.CreateHooks = nil // no $schema in answers
	cfg.DocsPath, cfg.SchemasPath = "", ""
	cfg.Transformers = []huma.Transformer{typed}
	// A filter that is misspelt must not quietly select everything.
	cfg.RejectUnknownQueryParameters = true
	// A Stamp is a number only inside.
	cfg.Components.Schemas.RegisterTypeAlias(reflect.TypeFor[event.Stamp](), reflect.TypeFor[*time.Time]())
	// A detection that nothing contradicts has none.
	cfg.Components.Schemas.RegisterTypeAlias(reflect.TypeFor[incident.Retraction](), reflect.TypeFor[retraction]())
	cfg.Components.SecuritySchemes = map[string]*huma.SecurityScheme{
		"token":   {Type: "http", Scheme: "bearer"},
		"session": {Type: "apiKey", In: "cookie", Name: auth.SessionCookie},
	}
	cfg.Security = []map[string][]string{{"token": {}}, {"session": {}}}
	h := humago.New(mux, cfg)
	s.registerIncidents(h)
	s.registerWork(h)
	s.registerBulk(h)
	s.registerJoin(h)
	s.registerContext(h)
	s.registerExport(h)
	s.registerBundle(h)
	s.registerTimeline(h)
	s.registerIncidentStream(h)
	s.registerDetectionStream(h)
	s.registerAlertStream(h)
	s.registerRest(h)
	s.registerEvents(h)
	s.registerQuarantine(h)
	s.registerBacktests(h)
	s.registerRuleCheck(h)
	s.registerRuleTrace(h)
	s.registerSilences(h)
	s.registerSilencePreview(h)
	s.registerReceivers(h)
	s.registerHooks(h)
	s.registerMe(h)
	s.registerTokens(h)
	s.registerAudit(h)
	s.registerCheckpoint(h)
	s.registerLogin(mux)
	mux.HandleFunc("GET /api/v1/events/tail", s.tail)
	h.OpenAPI().AddOperation(&huma.Operation{
		OperationID: "tail-events", Method: http.MethodGet, Path: "/api/v1/events/tail", Summary: "Events from now on, one JSON object a line",
		Responses: map[string]*huma.Response{
			"200": {Description: "OK", Content: map[string]*huma.MediaType{"application/x-ndjson": {}}},
			"default": {Description: "Error", Content: map[string]*huma.MediaType{
				"application/problem+json": {Schema: &huma.Schema{Ref: "#/components/schemas/ErrorModel"}},
			}},
		},
	})
	mux.HandleFunc("/api/", func(w http.ResponseWriter, _ *http.Request) {
		writeProblem(w, http.StatusNotFound, "there is no such resource: see /openapi.json")
	})
	if c.Console != nil {
		mux.Handle("/", c.Console)
	}
	s.ids = operationIDs(h.OpenAPI())
	return s, mux
}

// retraction is how the document has an [incident.Retraction], which may be null.
type retraction struct {
	_       struct{} `nullable:"true"`
	EventID string   `json:"event_id"`
}

func newServer(c Config) *server {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	c.Backend = scoped{c.Backend}
	s := &server{
		Config: c, origins: http.NewCrossOriginProtection(), seats: &seats{}, pace: defaultPace,
		gate:        auth.NewGate(auth.Config{AdminToken: c.Token, Store: c.Store, OIDC: c.OIDC, Now: c.Now, Log: c.Log}),
		byPrincipal: auth.NewLimiter("principal", c.PrincipalRate, c.Now), byAddress: auth.NewLimiter("address", c.AddressRate, c.Now),
	}
	s.incidentPulse, s.deliveryPulse = &pulse{last: s.Backend.LastChange}, &pulse{last: s.Backend.LastDelivery}
	if c.OIDC != nil {
		// A proxy may have another name for this host; where browsers are sent back to is its name for them.
		if u, err := url.Parse(c.OIDC.Redirect); err == nil && u.Host != "" {
			if err := s.origins.AddTrustedOrigin(u.Scheme + "://" + u.Host); err != nil {
				c.Log.Warn("api.oidc.redirect_url is no origin", "err", err)
			}
		}
	}
	return s
}

// operationIDs returns the id of each operation of a document, by method and path.
func operationIDs(doc *huma.OpenAPI) map[string]string {
	out := make(map[string]string)
	for path, item := range doc.Paths {
		for method, op := range map[string]*huma.Operation{
			http.MethodGet: item.Get, http.MethodPost: item.Post, http.MethodPut: item.Put, http.MethodPatch: item.Patch, http.MethodDelete: item.Delete,
		} {
			if op != nil {
				out[method+" "+path] = op.OperationID
			}
		}
	}
	return out
}

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
	if merged, ok := errors.AsType[*incident.MergedError](err); ok {
		return problem(http.StatusConflict, "it was merged into "+merged.Into+": act on that one")
	}
	if join, ok := errors.AsType[*incident.JoinError](err); ok {
		return problem(http.StatusConflict, join.Why)
	}
	switch {
	case errors.Is(err, incident.ErrChanged):
		return problem(http.StatusPreconditionFailed, "it was changed meanwhile, and nothing was done: read it again")
	case errors.Is(err, incident.ErrFinal):
		return problem(http.StatusConflict, "the incident is closed, and closing is final: what comes later is an incident of its own. Comments and an assignee it takes")
	case errors.Is(err, incident.ErrKeyTaken):
		return problem(http.StatusUnprocessableEntity, "Idempotency-Key: it was used for another request: take a new one")
	case errors.Is(err, incident.ErrNotFound), errors.Is(err, auth.ErrNotFound):
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
