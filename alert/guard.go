// SPDX-License-Identifier: Apache-2.0

package alert

import (
	"fmt"
	"net"
	"net/netip"
	"syscall"
	"time"
)

// guard decides which addresses receivers may be at. It looks at the address that is dialled, so that no name that
// changes what it stands for gets around it.
//
// What no receiver can be at is always refused: link-local addresses and where clouds keep the credentials of their
// machines. Private addresses and loopback are allowed unless the configuration says otherwise: in most
// installations Alertmanager, Loki, NATS and the mail server are there, and addresses come from the
// configuration alone, which is as trusted as the program. Where others write parts of it, deny_private closes them.
type guard struct{ denyPrivate bool }

// dialer connects to what the guard allows.
func (g guard) dialer() *net.Dialer {
	return &net.Dialer{Timeout: timeout, KeepAlive: 30 * time.Second, Control: g.control}
}

// control implements [net.Dialer]'s Control: address is one that names were resolved to.
func (g guard) control(_, address string, _ syscall.RawConn) error {
	to, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("%q is no address to dial", address)
	}
	if why := g.refuses(to.Addr()); why != "" {
		return fmt.Errorf("%s is %s: no receiver may be there", to.Addr(), why)
	}
	return nil
}

// refuses says why no receiver may be at an address, "" if one may.
func (g guard) refuses(a netip.Addr) string {
	a = plain(a)
	switch {
	case !a.IsValid() || a.IsUnspecified() || a.IsMulticast() || a == netip.AddrFrom4([4]byte{255, 255, 255, 255}):
		return "no address of one machine"
	case a.IsLinkLocalUnicast():
		return "a link-local address"
	}
	for _, m := range metadataServices {
		if a == netip.MustParseAddr(m) {
			return "a cloud's metadata service"
		}
	}
	if !g.denyPrivate {
		return ""
	}
	if a.IsLoopback() {
		return "a loopback address, and alert.deny_private is on"
	}
	for _, p := range private {
		if netip.MustParsePrefix(p).Contains(a) {
			return "a private address, and alert.deny_private is on"
		}
	}
	return ""
}

// metadataServices are metadata services that are not link-local: of AWS over IPv6, Alibaba and Azure.
var metadataServices = [...]string{"fd00:ec2::254", "100.100.100.200", "168.63.129.16"}

// private are networks that the internet does not have (IANA's registries of special purpose addresses).
var private = [...]string{
	"0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "172.16.0.0/12", "192.0.0.0/24", "192.168.0.0/16", "198.18.0.0/15", "240.0.0.0/4", "fc00::/7", "fec0::/10",
}

// plain returns the IPv4 address inside one of IPv6 that stands for it: mapped, or of NAT64, 6to4.
func plain(a netip.Addr) netip.Addr {
	a = a.Unmap().WithZone("")
	if !a.Is6() {
		return a
	}
	b := a.As16()
	switch {
	case netip.MustParsePrefix("64:ff9b::/96").Contains(a):
		return netip.AddrFrom4([4]byte(b[12:]))
	case netip.MustParsePrefix("2002::/16").Contains(a):
		return netip.AddrFrom4([4]byte(b[2:6]))
	}
	return a
}
