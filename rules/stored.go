// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"encoding/json"
	"errors"
	"fmt"
)

// stored is a Set as it is kept for other processes and for later. These may be of other versions, which would name what
// they compile otherwise: the names that a Set was first given stay.
type stored struct {
	Files []File `json:"files"`
	// Revisions are the rules', by id.
	Revisions map[string]string `json:"revisions"`
}

// Encode returns the Set's files and names.
func (s *Set) Encode() ([]byte, error) {
	x := stored{s.Files, make(map[string]string, len(s.Rules))}
	for _, r := range s.Rules {
		x.Revisions[r.ID] = r.Revision
	}
	return json.Marshal(x)
}

// MayHave reports whether what [Set.Encode] returned is of a Set with a rule of a revision, without compiling it; of one from before Sets had
// names that is not known.
func MayHave(data []byte, revision string) bool {
	var x struct {
		Revisions map[string]string `json:"revisions"`
	}
	if err := json.Unmarshal(data, &x); err != nil {
		return true
	}
	for _, r := range x.Revisions {
		if r == revision {
			return true
		}
	}
	return false
}

// Decode compiles what [Set.Encode] returned of a Set with a hash. Rules that this version does not compile are left out:
// leftOut says why, [Set].Lost which.
func Decode(hash string, data []byte) (set *Set, leftOut []error, err error) {
	var x stored
	if err := json.Unmarshal(data, &x); err != nil {
		// Before Sets had names of their own they were their files.
		if asFiles := json.Unmarshal(data, &x.Files); asFiles != nil {
			return nil, nil, fmt.Errorf("rule set %s: %w", hash, errors.Join(err, asFiles))
		}
	}
	set, leftOut = CompileLenient(x.Files)
	for _, r := range set.Rules {
		r.rename(x.Revisions)
	}
	set.Hash, set.byRevision, set.Lost = hash, make(map[string]*Rule), make(map[string]string)
	for _, r := range set.Rules {
		set.byRevision[r.Revision] = r
	}
	for id, revision := range x.Revisions {
		if set.byRevision[revision] == nil {
			set.Lost[revision] = id
		}
	}
	return set, leftOut, nil
}

// rename gives a rule, and those that it refers to, the revisions that they were stored with.
func (r *Rule) rename(revisions map[string]string) {
	if revision := revisions[r.ID]; revision != "" {
		r.Revision = revision
	}
	for _, c := range r.Children {
		c.rename(revisions)
	}
}
