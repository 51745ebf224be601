// SPDX-License-Identifier: Apache-2.0

package main

import (
	_ "embed"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strings"
)

//go:embed rules.yml
var rulesText string

// meanings is how many meanings two of the rules have. What they meant once they do not mean again.
const meanings = 5

// rulesOf returns the rules in one of their meanings.
func rulesOf(meaning int) []byte {
	return []byte(strings.NewReplacer(
		"count(failed) >= 4", fmt.Sprintf("count(failed) >= %d", 4+meaning),
		"within: 2s # and more", fmt.Sprintf("within: %ds", 2+meaning),
	).Replace(rulesText))
}

// changeMeaning draws another meaning of two rules, for whoever reads rules: they start anew (R3).
func changeMeaning(_ *rand.Rand, w *world) fault {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.meaning == meanings-1 {
		return fault{}
	}
	w.meaning++
	return fault{fmt.Sprintf("change what rules mean, to %d", w.meaning), (*world).writeRules}
}

// writeRules writes the rules of the present meaning to where each replica reads them.
func (w *world) writeRules() error {
	w.writing.Lock()
	defer w.writing.Unlock()
	w.mu.Lock()
	text, all := rulesOf(w.meaning), w.replicas
	w.mu.Unlock()
	for _, r := range all {
		if err := replace(filepath.Join(r.rules, "rules.yml"), text); err != nil {
			return err
		}
	}
	return nil
}
