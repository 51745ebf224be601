// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"log/slog"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"tocsin/api/auth"
	"tocsin/rules"
)

// apiConfig is the part of the configuration about who may ask.
type apiConfig struct {
	Listen         string `yaml:"listen"`
	Token          string `yaml:"token"`
	AllowPlaintext bool   `yaml:"allow_plaintext"`
	TLS            struct {
		Cert string `yaml:"cert"`
		Key  string `yaml:"key"`
	} `yaml:"tls"`
	// Rate is in requests a second.
	Rate struct {
		Principal int `yaml:"principal"`
		Address   int `yaml:"address"`
	} `yaml:"rate"`
	TrustedProxies []string   `yaml:"trusted_proxies"`
	OIDC           oidcConfig `yaml:"oidc"`
}

type oidcConfig struct {
	Issuer       string            `yaml:"issuer"`
	Audience     string            `yaml:"audience"`
	Algorithms   []string          `yaml:"algorithms"`
	ClientID     string            `yaml:"client_id"`
	ClientSecret string            `yaml:"client_secret"`
	RedirectURL  string            `yaml:"redirect_url"`
	Scopes       []string          `yaml:"scopes"`
	NameClaims   []string          `yaml:"name_claims"`
	RolesClaims  []string          `yaml:"roles_claims"`
	Map          map[string]string `yaml:"map"`
	ScopeClaim   string            `yaml:"scope_claim"`
	Session      time.Duration     `yaml:"session"`
}

// scheme is of the address of a listener that has a certificate, or none.
func scheme(cert string) string {
	if cert != "" {
		return "https"
	}
	return "http"
}

// proxies returns the networks of the proxies that are trusted.
func (c *apiConfig) proxies() ([]netip.Prefix, error) {
	var out []netip.Prefix
	for i, text := range c.TrustedProxies {
		p, err := netip.ParsePrefix(text)
		if a, bad := netip.ParseAddr(text); bad == nil {
			p, err = a.Unmap().Prefix(a.Unmap().BitLen())
		}
		if err != nil {
			return nil, wrongKey(fmt.Sprintf("api.trusted_proxies[%d]", i), "%q is no address and no network: 10.0.0.7 or 10.0.0.0/8", text)
		}
		out = append(out, p.Masked())
	}
	return out, nil
}

// provider returns the OIDC provider, nil if there is none.
func (c *oidcConfig) provider(log *slog.Logger) *auth.OIDC {
	if c.Issuer == "" {
		return nil
	}
	return auth.NewOIDC(auth.OIDCConfig{
		Issuer: c.Issuer, Audience: c.Audience, Algorithms: c.Algorithms,
		Mapping:  auth.Mapping{Name: c.NameClaims, Roles: c.RolesClaims, Map: c.Map, Scope: c.ScopeClaim},
		ClientID: c.ClientID, ClientSecret: c.ClientSecret, Redirect: c.RedirectURL, Scopes: c.Scopes, Session: c.Session,
		Now: time.Now, Log: log,
	})
}

func (c *Config) validateAPI() error {
	a := c.API
	switch {
	case (a.TLS.Cert == "") != (a.TLS.Key == ""):
		return wrongKey("api.tls.cert", "api.tls.cert and api.tls.key go together")
	case a.Rate.Principal < 0:
		return wrongKey("api.rate.principal", "it is negative: requests a second, or 0 for no limit")
	case a.Rate.Address < 0:
		return wrongKey("api.rate.address", "it is negative: requests a second, or 0 for no limit")
	}
	if _, err := a.proxies(); err != nil {
		return err
	}
	return a.OIDC.validate()
}

func (c *oidcConfig) validate() error {
	if c.Issuer == "" {
		if c.Audience+c.ClientID+c.RedirectURL != "" || len(c.Map) > 0 {
			return wrongKey("api.oidc.issuer", "it names no provider, and other keys of api.oidc are set")
		}
		return nil
	}
	if err := webAddress(c.Issuer); err != nil {
		return wrongKey("api.oidc.issuer", "%w", err)
	}
	if c.Audience == "" {
		return wrongKey("api.oidc.audience", "it is empty: a token that was made for another service would be taken; name what tokens for this one have in aud")
	}
	if len(c.Algorithms) == 0 {
		return wrongKey("api.oidc.algorithms", "it names none: leave the key out for RS256")
	}
	for i, alg := range c.Algorithms {
		if !slices.Contains(auth.Algorithms(), alg) {
			return wrongKey(fmt.Sprintf("api.oidc.algorithms[%d]", i), "%q is not taken: there are %s", alg, strings.Join(auth.Algorithms(), ", "))
		}
	}
	if len(c.RolesClaims) == 0 {
		return wrongKey("api.oidc.roles_claims", "it names none, and nobody would have a role")
	}
	if len(c.Map) == 0 {
		return wrongKey("api.oidc.map", "it is empty, and nobody would have a role: {siem-admin: admin}")
	}
	for theirs, ours := range c.Map {
		if !slices.Contains(auth.RoleNames(), ours) {
			if n := rules.Nearest(ours, auth.RoleNames()); n != "" {
				return wrongKey("api.oidc.map", "%s: there is no role %q: did you mean %q?", theirs, ours, n)
			}
			return wrongKey("api.oidc.map", "%s: there is no role %q: there are %s", theirs, ours, strings.Join(auth.RoleNames(), ", "))
		}
	}
	return c.validateLogin()
}

func (c *oidcConfig) validateLogin() error {
	switch {
	case c.ClientID == "" && c.RedirectURL == "":
		return nil
	case c.ClientID == "":
		return wrongKey("api.oidc.client_id", "it is empty, and api.oidc.redirect_url is set: they go together")
	case c.Session < time.Minute || c.Session > 30*24*time.Hour:
		return wrongKey("api.oidc.session", "it is between 1m and 30d, not %s", spell(c.Session))
	case !slices.Contains(c.Scopes, "openid"):
		return wrongKey("api.oidc.scopes", "openid is missing, without which no provider says who somebody is")
	}
	if err := webAddress(c.RedirectURL); err != nil {
		return wrongKey("api.oidc.redirect_url", "%w", err)
	}
	if u, err := url.Parse(c.RedirectURL); err != nil || u.Path != "/auth/callback" {
		return wrongKey("api.oidc.redirect_url", "its path is /auth/callback: https://tocsin.example.org/auth/callback")
	}
	return nil
}

// webAddress refuses what is no https address; http is for this machine.
func webAddress(text string) error {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil {
		return fmt.Errorf("%q is no address such as https://id.example.org/realms/soc", text)
	}
	host := u.Host
	if u.Port() == "" {
		host = u.Hostname() + ":0"
	}
	if u.Scheme == "https" || u.Scheme == "http" && loopback(host) {
		return nil
	}
	return fmt.Errorf("%q is not https: whoever is on the way could make tokens", text)
}
