// SPDX-License-Identifier: Apache-2.0

package alert

import (
	"net/url"
	"regexp"
	"strings"
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
	case r.User != "" && u.User != nil:
		return wrong(at+".user", "the url has a user already")
	case strings.Contains(r.User, ":"):
		return wrong(at+".user", "a user has no colon")
	case r.Password != "" && r.User == "":
		return wrong(at+".password", "a password needs a user")
	case r.Token != "" && (r.User != "" || u.User != nil):
		return wrong(at+".token", "either a token or a user, not both")
	case strings.ContainsFunc(r.Token, func(c rune) bool { return c <= ' ' || c > '~' }):
		return wrong(at+".token", "a token has neither blanks nor letters beyond ASCII")
	case len(r.Labels.ServiceName) > maxLabel:
		return wrong(at+".labels.service_name", "at most %d bytes", maxLabel)
	case len(r.Labels.Cluster) > maxLabel:
		return wrong(at+".labels.cluster", "at most %d bytes", maxLabel)
	case len(r.Secrets) > 0:
		return wrong(at+".secrets", "a receiver of type loki has no secrets: its pushes are not signed")
	}
	return nil
}

// tenants matches what Loki takes for the name of one tenant.
func tenants() *regexp.Regexp { return regexp.MustCompile(`^[A-Za-z0-9!\-_.*'()]{1,150}$`) }

// validateNoLoki refuses the keys that only a receiver of type loki has.
func (r Receiver) validateNoLoki(at string) error {
	for _, x := range []struct {
		key string
		set bool
	}{
		{"tenant", r.Tenant != ""}, {"user", r.User != ""}, {"password", r.Password != ""}, {"token", r.Token != ""},
		{"labels", r.Labels != Labels{}}, {"detections", r.Detections},
	} {
		if x.set {
			return wrong(at+"."+x.key, "a receiver of type %s has no %s", r.Type, x.key)
		}
	}
	return nil
}
