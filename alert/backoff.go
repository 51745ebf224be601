// SPDX-License-Identifier: Apache-2.0

package alert

import (
	"errors"
	"math/rand/v2"
	"time"
)

// The backoff of a receiver that fails: the first delay is up to a second, and the longest up to five minutes.
const (
	firstDelay = time.Second
	maxDelay   = 5 * time.Minute
)

// backoff returns the delay after the nth failure in a row: anything between nothing and a bound
// that doubles with n (full jitter), so that many senders do not come back at once. r is in [0, 1).
func backoff(n int, r float64) time.Duration {
	bound := maxDelay
	if n < 10 {
		bound = min(maxDelay, firstDelay<<max(n-1, 0))
	}
	return time.Duration(r * float64(bound))
}

// delay is the time before the next attempt after n failures in a row: what the receiver asked for,
// else backoff.
func delay(n int, err error) time.Duration {
	if r, ok := errors.AsType[*retryLater](err); ok && r.after > 0 {
		return min(r.after, maxRetryAfter)
	}
	return backoff(n, rand.Float64())
}
