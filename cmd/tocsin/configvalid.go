// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	"tocsin/alert"
	"tocsin/ingest"
	"tocsin/ingest/falcogrpc"
)

// keyError is a mistake in the value of one key, wherever that came from.
type keyError struct {
	key string
	err error
}

func (e *keyError) Error() string { return e.key + ": " + e.err.Error() }

func (e *keyError) Unwrap() error { return e.err }

func wrongKey(key, format string, args ...any) *keyError {
	return &keyError{key, fmt.Errorf(format, args...)}
}

// validate returns the first mistake, a [*keyError].
func (c *Config) validate() error {
	switch {
	case c.Data == "":
		return wrongKey("data", "it names no directory")
	case c.Lateness < time.Second || c.Lateness > 24*time.Hour:
		return wrongKey("lateness", "it is between 1s and 24h, not %s", spell(c.Lateness))
	case c.Partitions < 1 || c.Partitions > 1024:
		return wrongKey("partitions", "it is between 1 and 1024, not %d", c.Partitions)
	case len(c.Rules) == 0 || slices.Contains(c.Rules, ""):
		return wrongKey("rules", "a path is missing")
	case c.Ingest.MaxBody < 1 || c.Ingest.MaxBody > ingest.MaxBody:
		return wrongKey("ingest.max_body", "it is between 1 and %d bytes, not %d", ingest.MaxBody, c.Ingest.MaxBody)
	}
	for _, check := range []func() error{c.validateRoles, c.validateListeners, c.validateSenders, c.validateTokens, c.validateIdentities, c.validateAPI, c.validateNATS, c.validateEdge, c.validateAnchors, c.validateFalco, c.validateRetention, c.validateLog} {
		if err := check(); err != nil {
			return err
		}
	}
	err := c.Alert.Validate()
	if wrong, ok := errors.AsType[*alert.ConfigError](err); ok {
		return &keyError{"alert." + wrong.Key, wrong.Err}
	}
	return err
}

// validateListeners looks at those of the roles that the process runs; the others are not bound.
func (c *Config) validateListeners() error {
	for _, l := range []struct {
		key, role, addr string
		// open says that other machines may ask without TLS: metrics are scraped from elsewhere.
		open bool
	}{
		{"ingest.listen", roleIngest, c.Ingest.Listen, c.Ingest.AllowPlaintext || c.Ingest.TLS.Cert != ""},
		{"vector.listen", roleIngest, c.Vector.Listen, c.Vector.AllowPlaintext || c.Vector.Cert != ""},
		{"api.listen", roleAPI, c.API.Listen, c.API.AllowPlaintext || c.API.TLS.Cert != ""},
		{"admin.listen", "", c.Admin.Listen, true},
	} {
		if l.role != "" && !c.runs(l.role) || l.key == "vector.listen" && l.addr == off {
			continue
		}
		if _, _, err := net.SplitHostPort(l.addr); err != nil {
			return wrongKey(l.key, "%w", err)
		}
		if !l.open && !loopback(l.addr) {
			part, _, _ := strings.Cut(l.key, ".")
			files := part + ".tls"
			if part == "vector" {
				files = part
			}
			return wrongKey(l.key, "%s is not loopback, and there is no TLS: set %s.cert and %s.key, or put a proxy with TLS before it and say %s.allow_plaintext: true",
				l.addr, files, files, part)
		}
	}
	return nil
}

// loopback reports whether only this machine reaches an address.
func loopback(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return false
	}
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// validateTokens refuses blank tokens: a variable that a template left empty would let everybody in.
func (c *Config) validateTokens() error {
	for i, t := range c.Ingest.Tokens {
		if strings.TrimSpace(t.Value) == "" {
			return wrongKey(fmt.Sprintf("ingest.tokens[%d].value", i), "it is empty")
		}
		if err := claims(fmt.Sprintf("ingest.tokens[%d]", i), t.Rate, t.Sources, t.Clusters); err != nil {
			return err
		}
	}
	for _, t := range []struct{ key, value string }{{"ingest.token", c.Ingest.Token}, {"api.token", c.API.Token}, {"api.oidc.client_secret", c.API.OIDC.ClientSecret}} {
		if t.value != strings.TrimSpace(t.value) {
			return wrongKey(t.key, "it has blanks around it")
		}
	}
	return nil
}

func (c *Config) validateNATS() error {
	n := c.NATS
	switch {
	case n.Replicas < 0 || n.Replicas > 5 || n.Replicas != 0 && n.Replicas%2 == 0:
		return wrongKey("nats.replicas", "it is 1, 3 or 5, not %d", n.Replicas)
	case n.URL == "" && n.Replicas > 1:
		return wrongKey("nats.replicas", "the embedded NATS is one server: name a cluster in nats.url")
	case n.URL == "" && n.Creds+n.CA+n.Cert+n.Key != "":
		return wrongKey("nats.url", "it names no server, and nats.creds, ca, cert or key is set")
	case (n.Cert == "") != (n.Key == ""):
		return wrongKey("nats.cert", "nats.cert and nats.key go together")
	}
	return nil
}

func (c *Config) validateFalco() error {
	for i, f := range c.Falco.GRPC {
		if _, err := falcogrpc.New(falcogrpc.Config{Address: f.Address, CA: f.CA, Cert: f.Cert, Key: f.Key}); err != nil {
			return &keyError{fmt.Sprintf("falco.grpc[%d]", i), err}
		}
	}
	return nil
}

func (c *Config) validateRetention() error {
	for _, r := range []struct {
		key string
		retention
	}{{"events", c.Retention.Events}, {"matches", c.Retention.Matches}, {"quarantine", c.Retention.Quarantine}} {
		if r.Bytes < 0 {
			return wrongKey("retention."+r.key+".bytes", "it is negative")
		}
	}
	return nil
}

func (c *Config) validateLog() error {
	switch strings.ToLower(c.Log.Level) {
	case "debug", "info", "warn", "error":
	default:
		return wrongKey("log.level", "it is debug, info, warn or error, not %q", c.Log.Level)
	}
	if c.Log.Format != "text" && c.Log.Format != "json" {
		return wrongKey("log.format", "it is text or json, not %q", c.Log.Format)
	}
	return nil
}
