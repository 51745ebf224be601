// SPDX-License-Identifier: Apache-2.0

package auth

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// Remote returns the address that a request comes from. What proxies say in X-Forwarded-For is believed as far as they are
// trusted: the last address that is no trusted proxy's counts.
func Remote(r *http.Request, trusted []netip.Prefix) string {
	at, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	addr := at.Addr().Unmap().WithZone("")
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for _, hop := range slices.Backward(hops) {
		if !slices.ContainsFunc(trusted, func(p netip.Prefix) bool { return p.Contains(addr) }) {
			break
		}
		before, err := netip.ParseAddr(strings.TrimSpace(hop))
		if err != nil {
			break // it is none, and what is before it could be anything
		}
		addr = before.Unmap().WithZone("")
	}
	return addr.String()
}

// Network returns what an address shares with those of the same owner: of IPv6 a host has 2^64 at least.
func Network(addr string) string {
	a, err := netip.ParseAddr(addr)
	if err != nil || !a.Is6() {
		return addr
	}
	p, err := a.Prefix(64)
	if err != nil {
		return addr
	}
	return p.String()
}
