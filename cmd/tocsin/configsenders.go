// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"slices"
	"strings"

	"tocsin/ingest"
)

// validateSenders refuses a way in that is open to everybody, and certificates that nobody could show.
func (c *Config) validateSenders() error {
	if !c.runs(roleIngest) {
		return nil
	}
	v := c.Vector
	for _, l := range []struct {
		listen, addr, files string
		ingestTLS
		verb string
	}{
		{"ingest.listen", c.Ingest.Listen, "ingest.tls", c.Ingest.TLS, "post"},
		{"vector.listen", v.Listen, "vector", ingestTLS{v.Cert, v.Key, v.ClientCA, v.ClientAuth}, "push"},
	} {
		switch {
		case (l.Cert == "") != (l.Key == ""):
			return wrongKey(l.files+".cert", "%s.cert and %s.key go together", l.files, l.files)
		case l.ClientCA != "" && l.Cert == "":
			return wrongKey(l.files+".client_ca", "clients show certificates over TLS only: set %s.cert and %s.key", l.files, l.files)
		case l.ClientAuth != authOptional && l.ClientAuth != authRequired:
			return wrongKey(l.files+".client_auth", "it is %s or %s, not %q", authOptional, authRequired, l.ClientAuth)
		case l.ClientAuth == authRequired && l.ClientCA == "":
			return wrongKey(l.files+".client_auth", "it says whose certificates nowhere: set %s.client_ca", l.files)
		case l.addr != off && !loopback(l.addr) && len(c.ingestTokens()) == 0 && l.ClientCA == "":
			return wrongKey(l.listen, "%s is not loopback, and whoever reaches it could %s: set ingest.token, ingest.tokens or %s.client_ca", l.addr, l.verb, l.files)
		}
	}
	return nil
}

// validateIdentities refuses what no certificate could be known by.
func (c *Config) validateIdentities() error {
	if len(c.Ingest.Identities) > 0 && c.Ingest.TLS.ClientCA == "" && c.Vector.ClientCA == "" {
		return wrongKey("ingest.identities", "nobody is asked for a certificate: set ingest.tls.client_ca or vector.client_ca")
	}
	seen := make(map[string]bool)
	for i, id := range c.Ingest.Identities {
		key := fmt.Sprintf("ingest.identities[%d]", i)
		switch {
		case id.Certificate == "" || id.Certificate != strings.TrimSpace(id.Certificate):
			return wrongKey(key+".certificate", "it is a URI, a DNS name or the common name of a certificate, not %q", id.Certificate)
		case seen[id.Certificate]:
			return wrongKey(key+".certificate", "%q is there twice: the second would say nothing", id.Certificate)
		}
		seen[id.Certificate] = true
		if err := claims(key, id.Rate, id.Sources, id.Clusters); err != nil {
			return err
		}
	}
	return nil
}

// claims refuses bounds of a sender that nothing fits: it could not send, and would lose what it has.
func claims(key string, rate int, sources, clusters []string) error {
	if rate < 0 {
		return wrongKey(key+".rate", "it is negative: records a second, or 0 for no limit")
	}
	if i := slices.IndexFunc(sources, func(s string) bool { return !ingest.IsSource(s) }); i >= 0 {
		return wrongKey(fmt.Sprintf("%s.sources[%d]", key, i), "%q is no name of a source: lower case letters, digits, - and _", sources[i])
	}
	if i := slices.Index(clusters, ""); i >= 0 {
		return wrongKey(fmt.Sprintf("%s.clusters[%d]", key, i), "it is empty")
	}
	return nil
}
