// SPDX-License-Identifier: Apache-2.0

package event

import (
	"math"
	"time"
)

// Plus is a + b, and Minus a - b, of Unix nanoseconds and spans of them. Both stop at the ends of what can be said: a time near
// one of them, which anybody can write into a record, must not come round at the other.
func Plus(a, b int64) int64 {
	switch c := a + b; {
	case (c > a) == (b > 0):
		return c
	case b > 0:
		return math.MaxInt64
	}
	return math.MinInt64
}

// Minus is a - b, see [Plus].
func Minus(a, b int64) int64 {
	switch c := a - b; {
	case (c < a) == (b > 0):
		return c
	case b > 0:
		return math.MinInt64
	}
	return math.MaxInt64
}

// Stamp is a point in time, Unix nanoseconds, that prints as RFC 3339 in UTC with up to nine
// digits of fraction, and as null when it is 0.
type Stamp int64

// String returns the RFC 3339 form.
func (s Stamp) String() string { return time.Unix(0, int64(s)).UTC().Format(time.RFC3339Nano) }

// MarshalJSON writes the RFC 3339 form, or null for 0.
func (s Stamp) MarshalJSON() ([]byte, error) {
	if s == 0 {
		return []byte("null"), nil
	}
	return []byte(`"` + s.String() + `"`), nil
}

// UnmarshalJSON reads what MarshalJSON writes.
func (s *Stamp) UnmarshalJSON(b []byte) error {
	if string(b) == "null" {
		*s = 0
		return nil
	}
	var t time.Time
	if err := t.UnmarshalJSON(b); err != nil {
		return err
	}
	*s = Stamp(t.UnixNano())
	return nil
}

// MarshalText writes the RFC 3339 form.
func (s Stamp) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads the RFC 3339 form.
func (s *Stamp) UnmarshalText(b []byte) error {
	t, err := time.Parse(time.RFC3339Nano, string(b))
	if err != nil {
		return err
	}
	*s = Stamp(t.UnixNano())
	return nil
}
