// SPDX-License-Identifier: Apache-2.0

package alert

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"
)

func TestGuard(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{ // where one may be: anywhere, not when private ones are denied, never
		"93.184.216.34": "anywhere", "2606:2800:220:1::1": "anywhere",
		"127.0.0.1": "private", "::1": "private", "10.1.2.3": "private", "172.16.0.1": "private", "192.168.1.1": "private", "100.64.0.1": "private", "fd12::1": "private",
		"::ffff:127.0.0.1": "private", "::ffff:10.0.0.1": "private", "64:ff9b::a00:1": "private", "2002:a00:1::": "private",
		"169.254.169.254": "never", "fe80::1": "never", "fe80::1%eth0": "never", "::ffff:169.254.169.254": "never", "64:ff9b::a9fe:a9fe": "never", "fd00:ec2::254": "never",
		"100.100.100.200": "never", "168.63.129.16": "never", "0.0.0.0": "never", "::": "never", "224.0.0.1": "never", "ff02::1": "never", "255.255.255.255": "never",
	} {
		a := netip.MustParseAddr(text)
		open, strict := guard{}.refuses(a) == "", guard{denyPrivate: true}.refuses(a) == ""
		if open != (want != "never") || strict != (want == "anywhere") {
			t.Errorf("%s: allowed %t, with private ones denied %t; want %s", text, open, strict, want)
		}
	}
}

// TestTheGuardLooksAtWhatIsDialled: a name that leads to a place that is denied does not get there.
func TestTheGuardLooksAtWhatIsDialled(t *testing.T) {
	t.Parallel()
	came := false
	s := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { came = true }))
	defer s.Close()
	address := strings.Replace(s.URL, "127.0.0.1", "localhost", 1)
	for _, deny := range []bool{true, false} {
		w, err := newWebhook(Receiver{Name: "a", URL: address}, Config{DenyPrivate: deny})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		err = w.send(ctx, Item{Body: []byte("{}")})
		cancel()
		w.close()
		if came == deny || (err != nil) != deny || deny && !strings.Contains(err.Error(), "deny_private") {
			t.Errorf("denied %t: it came %t, %v", deny, came, err)
		}
	}
}
