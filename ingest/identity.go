// SPDX-License-Identifier: Apache-2.0

package ingest

import (
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"slices"
	"strings"
)

// Identity lets the holder of a client certificate post, and says what it may claim.
type Identity struct {
	// Certificate is one of the certificate's URIs (a SPIFFE ID) or DNS names, or its common name.
	Certificate string `yaml:"certificate" json:"certificate"`
	// Name, Rate, Sources and Clusters are as a [Token]'s; without a name it is Certificate.
	Name     string   `yaml:"name" json:"name"`
	Rate     int      `yaml:"rate" json:"rate"`
	Sources  []string `yaml:"sources" json:"sources"`
	Clusters []string `yaml:"clusters" json:"clusters"`
}

func (i Identity) sender() *Sender {
	s := newSender(Token{Name: cmp.Or(i.Name, i.Certificate), Rate: i.Rate, Sources: i.Sources, Clusters: i.Clusters})
	s.certificate = i.Certificate
	return s
}

// holder returns who a certificate is, nil if it counts for nobody. The first identity that fits is it.
func (a Authenticator) holder(cert *x509.Certificate) *Sender {
	if len(a.identities) == 0 {
		return &Sender{Name: certificateName(cert)}
	}
	names := certificateNames(cert)
	for _, s := range a.identities {
		if slices.Contains(names, s.certificate) {
			return s
		}
	}
	return nil
}

// certificateNames are the names by which an identity may know a certificate.
func certificateNames(cert *x509.Certificate) []string {
	var names []string
	for _, u := range cert.URIs {
		names = append(names, u.String())
	}
	names = append(names, cert.DNSNames...)
	if cn := cert.Subject.CommonName; cn != "" {
		names = append(names, cn)
	}
	return names
}

// certificateName is what to call a certificate: its common name, which those of SPIFFE lack, else the first of the others.
func certificateName(cert *x509.Certificate) string {
	if names := certificateNames(cert); cert.Subject.CommonName == "" && len(names) > 0 {
		return names[0]
	}
	return cert.Subject.CommonName
}

// Verified returns the client certificate of a connection if TLS has verified one, else nil.
func Verified(c *tls.ConnectionState) *x509.Certificate {
	if c == nil || len(c.VerifiedChains) == 0 {
		return nil
	}
	return c.VerifiedChains[0][0]
}

// stranger is the reason of a Refusal of somebody who is not known.
const stranger = "token"

// Refusal says why somebody may not post, or not this.
type Refusal struct {
	// Reason is a label of metrics: token, certificate or source; a cluster refuses records, and not a request.
	Reason string
	// Detail is for the sender, and says what to change.
	Detail string
}

func (r *Refusal) Error() string { return r.Detail }

// Stranger reports whether nobody knows who it is: 401, and not 403.
func (r *Refusal) Stranger() bool { return r.Reason == stranger }

// MayPost returns a refusal if the sender may not claim a source.
func (s *Sender) MayPost(source string) *Refusal {
	if len(s.sources) == 0 || slices.Contains(s.sources, source) {
		return nil
	}
	return &Refusal{"source", fmt.Sprintf("%q may not post to the source %q: it has %s", s.Name, source, strings.Join(s.sources, ", "))}
}
