// SPDX-License-Identifier: Apache-2.0

package alert

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// newClient returns the client of one receiver. A redirect would carry an alert and its credentials to
// somebody else: none is followed.
func newClient() *http.Client {
	return &http.Client{
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// withoutAddress returns a failure to reach a receiver without its address, which may hold a password.
func withoutAddress(err error) error {
	if u, ok := errors.AsType[*url.Error](err); ok {
		return u.Err
	}
	return err
}

// unwelcome is the error of an answer that is no success, and whether the alert is tried again.
func unwelcome(resp *http.Response, at time.Time) error {
	code := resp.StatusCode
	if code >= 400 && code < 500 && code != http.StatusTooManyRequests && code != http.StatusRequestTimeout {
		return fmt.Errorf("%w: answered %s", errPermanent, resp.Status)
	}
	// A redirect is somebody's login page or a move: either may be put right within the age.
	return &retryLater{retryAfter(resp.Header.Get("Retry-After"), at), fmt.Errorf("answered %s", resp.Status)}
}

// retryAfter reads the header of that name: seconds or a date (RFC 9110, 10.2.3). 0 is none.
func retryAfter(s string, now time.Time) time.Duration {
	if n, err := strconv.ParseUint(s, 10, 31); err == nil {
		return time.Duration(n) * time.Second
	}
	if at, err := http.ParseTime(s); err == nil && at.After(now) {
		return at.Sub(now)
	}
	return 0
}
