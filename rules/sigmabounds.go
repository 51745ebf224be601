// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"fmt"
	"slices"

	"tocsin/rules/pred"
)

const (
	// maxLinked bounds the rules that one rule is made of, with those that it refers to, and that these refer to, each as
	// often as it is referred to.
	maxLinked = 100
	// maxCopied bounds what filters and correlations copy of other documents, in all, in bytes.
	maxCopied = 64 << 20
	// perField and perCorrelation are what a field of group-by for one rule, and a correlation, count for beside that.
	perField, perCorrelation = 256, 1024
)

// copies counts what one document copies of others.
func (s *sigmaDocs) copies(bytes int) error {
	if s.copied += bytes; s.copied > maxCopied {
		return fmt.Errorf("with this one, correlations and filters copy more than %d bytes of the rules that they name", maxCopied)
	}
	return nil
}

// ration leaves out the rules that cost too much, with what filters added to them.
func (s *sigmaDocs) ration() {
	s.rules = slices.DeleteFunc(s.rules, func(r *sigmaRule) bool {
		err := pred.Ration(r.Node)
		if err != nil {
			s.errs = append(s.errs, r.fails(r.Title, err))
		}
		return err != nil
	})
}

// linked counts the correlations that one is made of.
type linked struct{ n int }

func (l *linked) another(title string) error {
	if l.n++; l.n > maxLinked {
		return fmt.Errorf("with what it refers to it is more than %d correlations, each counted as often as it is referred to; %q is one too many", maxLinked, title)
	}
	return nil
}
