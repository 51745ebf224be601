// SPDX-License-Identifier: Apache-2.0

package alert

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// newClient returns the client of one receiver. A redirect would carry an alert and its credentials to
// somebody else: none is followed.
func newClient(g guard) *http.Client {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.DialContext = g.dialer().DialContext
	t.MaxIdleConnsPerHost, t.IdleConnTimeout = 1, time.Minute
	return &http.Client{
		Transport:     t,
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

// answer reads what a receiver said, at most 64 KiB of it, and lets go of the connection. A body that breaks off is what came
// of it: the status decides.
func answer(resp *http.Response) []byte {
	defer resp.Body.Close()
	said, _ := io.ReadAll(io.LimitReader(resp.Body, 64<<10)) // see above
	return said
}

// words is the beginning of what a receiver said, on one line and without our secrets: of what is refused only it
// knows what is wrong.
func words(b []byte, secrets ...string) string {
	s := strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) {
			return ' '
		}
		if !unicode.IsPrint(r) {
			return -1
		}
		return r
	}, strings.ToValidUTF8(string(b), ""))
	for _, secret := range secrets {
		if secret != "" {
			s = strings.ReplaceAll(s, secret, "xxxxx")
		}
	}
	s = strings.TrimSpace(s)
	return strings.ToValidUTF8(s[:min(len(s), 300)], "")
}

// reply is an answer whose body was read and closed.
type reply struct {
	*http.Response
	said []byte
}

// postJSON posts a body and returns the answer, whatever it is.
func postJSON(ctx context.Context, client *http.Client, address string, body []byte, authorization string) (reply, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(body))
	if err != nil {
		return reply{}, fmt.Errorf("%w: the url is no address", errPermanent) // err repeats it
	}
	req.Header.Set("Content-Type", "application/json; charset=utf-8")
	req.Header.Set("User-Agent", "tocsin")
	if authorization != "" {
		req.Header.Set("Authorization", authorization)
	}
	resp, err := client.Do(req)
	if err != nil {
		return reply{}, fmt.Errorf("post: %w", withoutAddress(err))
	}
	return reply{resp, answer(resp)}, nil
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
