// SPDX-License-Identifier: Apache-2.0

package auth

import (
	"fmt"
	"math"
	"net/http"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// maxBuckets bounds those that are held. Who is forgotten begins with a full bucket, as after a pause of two seconds.
const maxBuckets = 8192

// Limiter bounds how often each of many may ask. One with a Rate of 0 bounds nobody.
type Limiter struct {
	name string
	rate int
	now  func() time.Time

	mu         sync.Mutex
	young, old map[string]*rate.Limiter
}

// NewLimiter returns one that lets each ask so many times a second, and twice as many at once.
func NewLimiter(name string, perSecond int, now func() time.Time) *Limiter {
	return &Limiter{name: name, rate: perSecond, now: now, young: make(map[string]*rate.Limiter)}
}

// Take counts a request of who. It sets the headers that tell how much is left, and reports whether there was any.
func (l *Limiter) Take(h http.Header, who string) bool {
	if l == nil || l.rate == 0 {
		return true
	}
	at := l.now()
	bucket := l.bucket(who)
	ok := bucket.AllowN(at, 1)
	left := math.Max(0, math.Floor(bucket.TokensAt(at)))
	full := math.Ceil((float64(2*l.rate) - left) / float64(l.rate))
	// draft-ietf-httpapi-ratelimit-headers
	h.Add("RateLimit-Policy", fmt.Sprintf("%q;q=%d;w=2", l.name, 2*l.rate))
	h.Add("RateLimit", fmt.Sprintf("%q;r=%d;t=%d", l.name, int(left), int(full)))
	return ok
}

// bucket returns who's. The older half of all goes when the younger half is full.
func (l *Limiter) bucket(who string) *rate.Limiter {
	l.mu.Lock()
	defer l.mu.Unlock()
	if b := l.young[who]; b != nil {
		return b
	}
	b := l.old[who]
	if b == nil {
		b = rate.NewLimiter(rate.Limit(l.rate), 2*l.rate)
	}
	if len(l.young) >= maxBuckets/2 {
		l.old, l.young = l.young, make(map[string]*rate.Limiter)
	}
	l.young[who] = b
	return b
}
