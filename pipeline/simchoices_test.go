// SPDX-License-Identifier: Apache-2.0

package pipeline_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
)

// choices are the schedule of a run: at each choice the first alternative is taken, unless the schedule says another.
type choices struct {
	plan   map[int]int // by the number of the choice
	random *rand.Rand  // nil: what is not in the plan goes well
	rate   float64
	left   int // random faults that may still come
	wishes []wish

	made []choice
	told []string // nil unless the run is to be told
	tell bool
}

// wish is a fault of the next request whose label has a text.
type wish struct{ of, fault string }

// choice is one that was made, of so many.
type choice struct{ of, taken int }

func (c *choices) next(what string, of []string) string {
	n := len(c.made)
	taken := c.plan[n]
	if c.random != nil && c.left > 0 && c.random.Float64() < c.rate {
		taken = c.random.IntN(len(of))
		c.left--
	}
	if len(c.wishes) > 0 && strings.Contains(what, c.wishes[0].of) {
		taken = max(0, slices.Index(of, c.wishes[0].fault))
		c.wishes = c.wishes[1:]
	}
	if taken >= len(of) {
		taken = 0
	}
	c.made = append(c.made, choice{len(of), taken})
	if taken != 0 {
		c.note("%d: %s: %s", n, what, strings.ToUpper(of[taken]))
	} else {
		c.note("%d: %s", n, what)
	}
	return of[taken]
}

func (c *choices) note(format string, args ...any) {
	if c.tell {
		c.told = append(c.told, fmt.Sprintf(format, args...))
	}
}

// schedule is what of the choices is not the first alternative: its text is number.alternative, with commas.
type schedule []step

type step struct{ at, take int }

// schedule returns that of the choices made.
func (c *choices) schedule() schedule {
	var out schedule
	for i, x := range c.made {
		if x.taken != 0 {
			out = append(out, step{i, x.taken})
		}
	}
	return out
}

func (s schedule) String() string {
	var parts []string
	for _, x := range s {
		parts = append(parts, fmt.Sprintf("%d.%d", x.at, x.take))
	}
	return strings.Join(parts, ",")
}

func (s schedule) plan() map[int]int {
	out := make(map[int]int, len(s))
	for _, x := range s {
		out[x.at] = x.take
	}
	return out
}

// parseSchedule reads the text of a schedule.
func parseSchedule(text string) (schedule, error) {
	var out schedule
	for part := range strings.SplitSeq(text, ",") {
		at, take, ok := strings.Cut(part, ".")
		x := step{}
		var err1, err2 error
		x.at, err1 = strconv.Atoi(at)
		x.take, err2 = strconv.Atoi(take)
		if !ok || err1 != nil || err2 != nil {
			return nil, fmt.Errorf("a schedule is 12.3,40.1 and so on, not %q", text)
		}
		out = append(out, x)
	}
	return out, nil
}

// without returns the schedule without one of its steps.
func (s schedule) without(i int) schedule { return slices.Delete(slices.Clone(s), i, i+1) }
