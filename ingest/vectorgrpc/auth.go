// SPDX-License-Identifier: Apache-2.0

package vectorgrpc

import (
	"context"
	"strings"

	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"

	"tocsin/ingest"
)

// sender returns who calls, and whether it may push. The certificate is asked first: who has one need not have a token.
func (s *service) sender(ctx context.Context) (*ingest.Sender, bool) {
	if s.cfg.Certificate != nil {
		if p, ok := peer.FromContext(ctx); ok {
			if info, ok := p.AuthInfo.(credentials.TLSInfo); ok && len(info.State.VerifiedChains) > 0 {
				if name, ok := s.cfg.Certificate(info.State.VerifiedChains[0][0]); ok {
					return &ingest.Sender{Name: name}, true
				}
			}
		}
		if s.auth.Open() {
			return nil, false
		}
	}
	md, _ := metadata.FromIncomingContext(ctx)
	return s.auth.Sender(first(md.Get("authorization")), userinfo(first(md.Get(":authority"))))
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
