// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"tocsin/api/auth"
)

const (
	// attemptCookie keeps a login that has begun; its plain twin is for a console without TLS.
	attemptCookie      = "__Host-tocsin_login"
	plainAttemptCookie = "tocsin_login"
	// attemptLasts is how long somebody may be at the provider.
	attemptLasts = 10 * time.Minute
)

func (s *server) registerLogin(mux *router) {
	mux.HandleFunc("GET /auth/login", s.login)
	mux.HandleFunc("GET /auth/callback", s.callback)
	mux.HandleFunc("POST /auth/logout", s.logout)
}

// cookie makes one of ours. Only over TLS is its name one that no other host can set.
func (s *server) cookie(name, plain, value string, lasts time.Duration) *http.Cookie {
	c := &http.Cookie{Name: name, Value: value, Path: "/", HttpOnly: true, Secure: true, SameSite: http.SameSiteLaxMode, MaxAge: int(lasts / time.Second)}
	if s.OIDC != nil && !s.OIDC.Secure() {
		c.Name, c.Secure = plain, false
	}
	if value == "" {
		c.MaxAge = -1
	}
	return c
}

// login sends the browser to the provider.
func (s *server) login(w http.ResponseWriter, r *http.Request) {
	if !s.OIDC.LogsIn() {
		writeProblem(w, http.StatusNotFound, "nobody logs in here: no api.oidc.client_id is set; an API token can be used")
		return
	}
	to, attempt, refused := s.OIDC.Begin(local(r.URL.Query().Get("return")))
	if refused != nil {
		writeRefusal(w, refused)
		return
	}
	text, err := json.Marshal(attempt)
	if err != nil {
		writeProblem(w, http.StatusInternalServerError, "the login cannot begin")
		return
	}
	http.SetCookie(w, s.cookie(attemptCookie, plainAttemptCookie, base64.RawURLEncoding.EncodeToString(text), attemptLasts))
	http.Redirect(w, r, to, http.StatusSeeOther)
}

// local returns a path of this host, "/" if it is none: a login must not lead elsewhere.
func local(path string) string {
	if len(path) > 2000 || !strings.HasPrefix(path, "/") || strings.HasPrefix(path, "//") || strings.ContainsAny(path, "\\\r\n\t") {
		return "/"
	}
	return path
}

// callback ends a login: the provider has sent the browser back.
func (s *server) callback(w http.ResponseWriter, r *http.Request) {
	a := actOf(r.Context())
	a.id = "login"
	if !s.OIDC.LogsIn() || s.Store == nil {
		writeProblem(w, http.StatusNotFound, "nobody logs in here: no api.oidc.client_id is set")
		return
	}
	http.SetCookie(w, s.cookie(attemptCookie, plainAttemptCookie, "", 0))
	attempt := s.attempt(r)
	who, subject, refused := s.OIDC.Finish(r.Context(), attempt, r.URL.Query())
	a.who = who
	if refused == nil {
		refused = s.OIDC.NoRoles(who)
	}
	if refused != nil {
		s.refuse(&recorder{ResponseWriter: w}, r, a, refused)
		return
	}
	settle, refused := s.record(r.Context(), a, r.URL.Path)
	if refused != nil {
		writeRefusal(w, refused)
		return
	}
	id := rand.Text() + rand.Text()
	err := s.Store.AddSession(r.Context(), auth.Session{
		Hash: auth.HashOf(id), Name: who.Name, Subject: subject, Roles: who.Roles, Scope: who.Scope.Texts(),
		Expires: s.Now().Add(s.OIDC.Session).UnixNano(),
	})
	if err != nil {
		settle(http.StatusServiceUnavailable)
		s.Log.Warn("a login failed: the session is not kept", "err", err)
		writeRefusal(w, &auth.Refusal{Status: http.StatusServiceUnavailable, Reason: auth.NoStore, Detail: "the session cannot be kept now: begin again at /auth/login"})
		return
	}
	settle(http.StatusSeeOther)
	http.SetCookie(w, s.cookie(auth.SessionCookie, auth.PlainSessionCookie, id, s.OIDC.Session))
	http.Redirect(w, r, local(attempt.Return), http.StatusSeeOther)
}

// attempt reads the login that a browser began; what cannot be read is none.
func (s *server) attempt(r *http.Request) auth.Attempt {
	var a auth.Attempt
	c, err := r.Cookie(s.cookie(attemptCookie, plainAttemptCookie, "", 0).Name)
	if err != nil {
		return a
	}
	text, err := base64.RawURLEncoding.DecodeString(c.Value)
	if err != nil || json.Unmarshal(text, &a) != nil {
		return auth.Attempt{}
	}
	return a
}

// logout ends the session, and says where the provider's own can be ended.
func (s *server) logout(w http.ResponseWriter, r *http.Request) {
	if id := s.gate.Cookie(r); id != "" && s.Store != nil {
		if err := s.Store.EndSession(r.Context(), auth.HashOf(id)); err != nil {
			writeRefusal(w, &auth.Refusal{Status: http.StatusServiceUnavailable, Reason: auth.NoStore, Detail: "the session cannot be ended now: try again"})
			return
		}
	}
	http.SetCookie(w, s.cookie(auth.SessionCookie, auth.PlainSessionCookie, "", 0))
	location := "/"
	if s.OIDC.LogsIn() {
		if at := s.OIDC.LogoutURL(); at != "" {
			location = at
		}
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]string{"location": location}) // a client that went away has its answer
}

// Me is who asks, and how they could log in.
type Me struct {
	Authenticated bool   `json:"authenticated"`
	Name          string `json:"name"`
	// Via is config, token, oidc or session.
	Via         string   `json:"via"`
	Roles       []string `json:"roles"`
	Permissions []string `json:"permissions" doc:"resource:action; * is every one"`
	// Scope is null for everything.
	Scope []string  `json:"scope" nullable:"true" doc:"cluster/namespace; null is everything"`
	Login LoginInfo `json:"login"`
}

// LoginInfo is how people log in.
type LoginInfo struct {
	// OIDC is true if there is a login at URL; a token can be used at any time.
	OIDC bool   `json:"oidc"`
	URL  string `json:"url"`
}

func (s *server) registerMe(h huma.API) {
	huma.Register(h, huma.Operation{
		OperationID: "me", Method: http.MethodGet, Path: "/api/v1/me", Summary: "Who asks, what they may do, and how to log in",
		Description: "Also without any proof: then it says how to log in.", Security: []map[string][]string{},
	}, func(ctx context.Context, _ *struct{}) (*one[Me], error) {
		p := auth.Of(ctx)
		me := Me{
			Authenticated: p.Via != "", Name: p.Name, Via: p.Via, Roles: append([]string{}, p.Roles...), Permissions: p.Permissions(),
			Scope: p.Scope.Texts(),
		}
		if s.OIDC.LogsIn() {
			me.Login = LoginInfo{OIDC: true, URL: "/auth/login"}
		}
		return &one[Me]{me}, nil
	})
}
