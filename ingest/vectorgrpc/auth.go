// SPDX-License-Identifier: Apache-2.0

package vectorgrpc

import (
	"context"
	"crypto/x509"
	"strings"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"

	"tocsin/ingest"
)

// sender returns who calls, if it may push at all.
func (s *service) sender(ctx context.Context) (*ingest.Sender, *ingest.Refusal) {
	var cert *x509.Certificate
	if p, ok := peer.FromContext(ctx); ok {
		if info, ok := p.AuthInfo.(credentials.TLSInfo); ok {
			cert = ingest.Verified(&info.State)
		}
	}
	md, _ := metadata.FromIncomingContext(ctx)
	return s.auth.Sender(cert, first(md.Get("authorization")), userinfo(first(md.Get(":authority"))))
}

// deny is the answer to somebody who may not do this.
func (s *service) deny(no *ingest.Refusal) error {
	if s.cfg.Refused != nil {
		s.cfg.Refused.WithLabelValues(no.Reason).Inc()
	}
	if no.Stranger() {
		return status.Error(codes.Unauthenticated, no.Detail)
	}
	return status.Error(codes.PermissionDenied, no.Detail)
}

func first(values []string) string {
	if len(values) == 0 {
		return ""
	}
	return values[0]
}

// userinfo returns the password of `user:password@host`, or all before the @ if it has no colon. Vector's sink can set
// no header, but it sends the address as it is configured: http://any:TOKEN@host:6000.
func userinfo(authority string) string {
	at := strings.LastIndexByte(authority, '@')
	if at < 0 {
		return ""
	}
	if _, password, ok := strings.Cut(authority[:at], ":"); ok {
		return password
	}
	return authority[:at]
}
