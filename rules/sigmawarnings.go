// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"cmp"
	"fmt"
	"slices"
)

// warnOf notes what is odd about a Sigma rule, for it or for a correlation over it: what is told of nowhere would look as
// if it were meant.
func (r *Rule) warnOf(x *sigmaRule) {
	add := func(kind, format string, args ...any) {
		w := Warning{Kind: kind, Message: fmt.Sprintf(format, args...)}
		if !slices.Contains(r.warnings, w) {
			r.warnings = append(r.warnings, w)
		}
	}
	if !x.Known {
		add("unknown-logsource", "no settings know the log source %s: the rule is evaluated for every event", cmp.Or(x.Logsource, "that it does not say"))
	}
	for _, g := range x.Guessed {
		add("guessed-placeholder", "the placeholder %%%s%% stands for what comes with the program (%s): say what is so with you in a file of the rules folder, placeholders: {%s: [a, 'b*']}", g.Name, g.Values, g.Name)
	}
}
