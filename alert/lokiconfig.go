// SPDX-License-Identifier: Apache-2.0

package alert

import (
	"net/url"
	"regexp"
)

// validateLoki checks the keys of a receiver of type loki. No message repeats a value that may be a secret.
func (r Receiver) validateLoki(at string) error {
	u, err := url.Parse(r.URL)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" {
		return wrong(at+".url", "not an http or https address with a host")
	}
	switch {
	case r.Tenant != "" && !tenants().MatchString(r.Tenant) || r.Tenant == "." || r.Tenant == "..":
		return wrong(at+".tenant", "%q is no tenant: letters, digits and !-_.*'(), at most 150", r.Tenant)
	case len(r.Labels.ServiceName) > maxLabel:
		return wrong(at+".labels.service_name", "at most %d bytes", maxLabel)
	case len(r.Labels.Cluster) > maxLabel:
		return wrong(at+".labels.cluster", "at most %d bytes", maxLabel)
	}
	return r.validateCredentials(at, u.User != nil)
}

// tenants matches what Loki takes for the name of one tenant.
func tenants() *regexp.Regexp { return regexp.MustCompile(`^[A-Za-z0-9!\-_.*'()]{1,150}$`) }
