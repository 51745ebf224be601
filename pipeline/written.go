// SPDX-License-Identifier: Apache-2.0

package pipeline

import (
	"context"
	"errors"

	"tocsin/rules"
)

// setsLooked is how many of the stored rule Sets are looked through for the text of a rule, the newest first.
const setsLooked = 1000

// ErrNotWritten says that no Set which is looked through has a rule of the revision.
var ErrNotWritten = errors.New("none of the newest 1000 rule sets in NATS has the rule with this revision")

// ErrUnreadable says that a Set has the rule, and that this version does not compile it.
var ErrUnreadable = errors.New("a rule set in NATS has the rule with this revision, and this version does not compile it")

// Written is how a rule is written in its file.
type Written struct {
	File string
	Line int
	Text string
}

// shelf has the rule Sets that were ever in force.
type shelf interface {
	NewestSets(ctx context.Context, n uint64, fn func(hash string, data []byte) (more bool, err error)) error
}

// RuleOf returns the newest text of a rule that has a revision. Texts of one revision mean the same; words and comments may differ.
func RuleOf(ctx context.Context, sets shelf, id, revision string) (Written, error) {
	out, found := Written{}, ErrNotWritten
	err := sets.NewestSets(ctx, setsLooked, func(hash string, data []byte) (bool, error) {
		if !rules.MayHave(data, revision) {
			return true, nil
		}
		set, _, err := rules.Decode(hash, data)
		if err != nil {
			return false, err
		}
		r := set.ByRevision(revision)
		switch {
		case r != nil && r.ID == id:
			out.File = r.File
			out.Text, out.Line = set.Source(r)
			found = nil
		case set.Lost[revision] == id:
			found = ErrUnreadable
		}
		return found != nil, nil
	})
	if err != nil {
		return Written{}, err
	}
	return out, found
}
