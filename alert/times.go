// SPDX-License-Identifier: Apache-2.0

package alert

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// MuteTimes are times in which routes that name them are closed, in the words of Alertmanager.
type MuteTimes struct {
	Name          string         `yaml:"name"`
	TimeIntervals []TimeInterval `yaml:"time_intervals"`
}

// TimeInterval holds when all that it says does.
type TimeInterval struct {
	Times       []TimeRange `yaml:"times"`
	Weekdays    []string    `yaml:"weekdays"`
	DaysOfMonth []string    `yaml:"days_of_month"`
	Months      []string    `yaml:"months"`
	Years       []string    `yaml:"years"`
	// Location is a name of the IANA database; "" is UTC.
	Location string `yaml:"location"`
}

// TimeRange is from one time of the day, 00:00 to 24:00, up to another that is later.
type TimeRange struct {
	StartTime string `yaml:"start_time"`
	EndTime   string `yaml:"end_time"`
}

// span is from a number to another, both in it.
type span struct{ from, to int }

// interval is a TimeInterval that was read; an empty list holds always.
type interval struct {
	minutes, weekdays, days, months, years []span // the end of minutes is not in it
	location                               *time.Location
}

func (t MuteTimes) read(at string) ([]interval, error) {
	if len(t.TimeIntervals) == 0 {
		return nil, wrong(at+".time_intervals", "at least one")
	}
	var out []interval
	for i, x := range t.TimeIntervals {
		in, err := x.read(fmt.Sprintf("%s.time_intervals[%d]", at, i))
		if err != nil {
			return nil, err
		}
		out = append(out, in)
	}
	return out, nil
}

func (t TimeInterval) read(at string) (interval, error) {
	in := interval{location: time.UTC}
	if t.Location != "" {
		l, err := time.LoadLocation(t.Location)
		if err != nil || t.Location == "Local" {
			return in, wrong(at+".location", "%q is no place of the time zone database, as in Europe/Berlin", t.Location)
		}
		in.location = l
	}
	for i, r := range t.Times {
		from, ok := clock(r.StartTime)
		if !ok {
			return in, wrong(fmt.Sprintf("%s.times[%d].start_time", at, i), "%q is no time of the day: 00:00 to 24:00", r.StartTime)
		}
		to, ok := clock(r.EndTime)
		if !ok {
			return in, wrong(fmt.Sprintf("%s.times[%d].end_time", at, i), "%q is no time of the day: 00:00 to 24:00", r.EndTime)
		}
		if to <= from {
			return in, wrong(fmt.Sprintf("%s.times[%d]", at, i), "%s is not before %s: a night is two times, up to 24:00 and from 00:00", r.StartTime, r.EndTime)
		}
		in.minutes = append(in.minutes, span{from, to})
	}
	for _, list := range []struct {
		key         string
		texts       []string
		names       []string
		least, most int
		into        *[]span
	}{
		{"weekdays", t.Weekdays, []string{"sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"}, 0, 6, &in.weekdays},
		{"days_of_month", t.DaysOfMonth, nil, -31, 31, &in.days},
		{"months", t.Months, []string{
			"", "january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november", "december",
		}, 1, 12, &in.months},
		{"years", t.Years, nil, 1970, 9999, &in.years},
	} {
		for i, text := range list.texts {
			s, err := spanOf(text, list.names, list.least, list.most)
			if err != nil {
				return in, wrong(fmt.Sprintf("%s.%s[%d]", at, list.key, i), "%w", err)
			}
			*list.into = append(*list.into, s)
		}
	}
	return in, nil
}

// clock reads a time of the day as minutes.
func clock(s string) (int, bool) {
	h, m, ok := strings.Cut(s, ":")
	hours, err1 := strconv.Atoi(h)
	minutes, err2 := strconv.Atoi(m)
	ok = ok && err1 == nil && err2 == nil && len(h) == 2 && len(m) == 2 && hours >= 0 && minutes >= 0 && minutes < 60 && hours*60+minutes <= 24*60
	return hours*60 + minutes, ok
}

// spanOf reads "a" or "a:b", numbers or names. Days of a month below zero count from its end.
func spanOf(text string, names []string, least, most int) (span, error) {
	one := func(s string) (int, error) {
		s = strings.ToLower(strings.TrimSpace(s))
		if i := slices.Index(names, s); i >= 0 && s != "" {
			return i, nil
		}
		n, err := strconv.Atoi(s)
		if err != nil || n < least || n > most || n == 0 && least < 0 || least == 0 {
			if names != nil {
				return 0, fmt.Errorf("%q is none of %s", s, strings.TrimPrefix(strings.Join(names, ", "), ", "))
			}
			return 0, fmt.Errorf("%q is no number between %d and %d", s, least, most)
		}
		return n, nil
	}
	a, b, ok := strings.Cut(text, ":")
	from, err := one(a)
	if err != nil {
		return span{}, err
	}
	if !ok {
		return span{from, from}, nil
	}
	to, err := one(b)
	if err != nil {
		return span{}, err
	}
	if to < from && (least >= 0 || (from > 0) == (to > 0)) {
		return span{}, fmt.Errorf("%q ends before it begins", text)
	}
	return span{from, to}, nil
}

// holds reports whether a moment is in the interval.
func (in interval) holds(at time.Time) bool {
	at = at.In(in.location)
	minute := at.Hour()*60 + at.Minute()
	in1 := func(spans []span, n int) bool {
		return len(spans) == 0 || slices.ContainsFunc(spans, func(s span) bool { return s.from <= n && n <= s.to })
	}
	if len(in.minutes) > 0 && !slices.ContainsFunc(in.minutes, func(s span) bool { return s.from <= minute && minute < s.to }) {
		return false
	}
	last := time.Date(at.Year(), at.Month()+1, 0, 0, 0, 0, 0, in.location).Day()
	day := func(n int) int {
		if n < 0 {
			return last + 1 + n
		}
		return n
	}
	onDay := len(in.days) == 0 || slices.ContainsFunc(in.days, func(s span) bool { return day(s.from) <= at.Day() && at.Day() <= day(s.to) })
	return onDay && in1(in.weekdays, int(at.Weekday())) && in1(in.months, int(at.Month())) && in1(in.years, at.Year())
}

// muteLook is how far ahead the end of mute times is looked for: after that they are looked at again.
const muteLook = 24 * time.Hour

// mutedFor returns for how long one of some intervals holds from a moment on, 0 if none does.
func mutedFor(ins []interval, at time.Time) time.Duration {
	held := func(at time.Time) bool {
		return slices.ContainsFunc(ins, func(in interval) bool { return in.holds(at) })
	}
	if !held(at) {
		return 0
	}
	next := at.Truncate(time.Minute).Add(time.Minute)
	for held(next) && next.Sub(at) < muteLook {
		next = next.Add(time.Minute)
	}
	return next.Sub(at)
}
