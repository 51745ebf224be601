// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"slices"
	"sort"
	"strings"

	"github.com/spf13/cobra"

	"tocsin/rules"
)

// layer is what the ATT&CK Navigator opens: its layer file format 4.5.
type layer struct {
	Name        string            `json:"name"`
	Versions    map[string]string `json:"versions"`
	Domain      string            `json:"domain"`
	Description string            `json:"description"`
	Techniques  []layerTechnique  `json:"techniques"`
	Gradient    layerGradient     `json:"gradient"`
	Legend      []layerLegend     `json:"legendItems"`
}

type layerTechnique struct {
	ID string `json:"techniqueID"`
	// Score is 1 for a technique that a rule is about, 2 if one of them has tests.
	Score    int         `json:"score"`
	Comment  string      `json:"comment"`
	Metadata []layerMeta `json:"metadata"`
	Parent   bool        `json:"showSubtechniques"`
}

type layerMeta struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

type layerGradient struct {
	Colors []string `json:"colors"`
	Min    int      `json:"minValue"`
	Max    int      `json:"maxValue"`
}

type layerLegend struct {
	Label string `json:"label"`
	Color string `json:"color"`
}

func newRulesCoverageCommand(c *cli) *cobra.Command {
	return &cobra.Command{
		Use:   "coverage [PATH…]",
		Short: "Print which ATT&CK techniques rules cover, and cover with tests, as a layer for the ATT&CK Navigator",
		Long: "Coverage prints a layer for the ATT&CK Navigator: score 1 is a technique that a rule is about, 2 one of\n" +
			"whose rules one has tests. Rules in shadow count for nothing. What is without a technique is said on stderr.",
		RunE: func(cmd *cobra.Command, args []string) error {
			_, args, err := c.rulePaths(args)
			if err != nil {
				return err
			}
			set, err := loadRules(cmd.Context(), args)
			if err != nil {
				return err
			}
			l, bare := coverage(set)
			tested := 0
			for _, t := range l.Techniques {
				tested += t.Score - 1
			}
			fmt.Fprintf(c.stderr, "%d techniques are covered, %d of them with tests\n", len(l.Techniques), tested)
			if len(bare) > 0 {
				fmt.Fprintf(c.stderr, "%d rules name no technique: %s\n", len(bare), strings.Join(bare, ", "))
			}
			return printJSON(c.stdout, l)
		},
	}
}

// coverage returns the layer of a Set, and the rules that are in no technique.
func coverage(set *rules.Set) (l layer, bare []string) {
	byTechnique := make(map[string][]*rules.Rule)
	for _, r := range set.Rules {
		if r.Shadow {
			continue
		}
		named := false
		for _, id := range r.Attack {
			if strings.HasPrefix(id, "TA") {
				continue
			}
			named = true
			if !slices.Contains(byTechnique[id], r) {
				byTechnique[id] = append(byTechnique[id], r)
			}
		}
		if !named {
			bare = append(bare, r.ID)
		}
	}
	l = layer{
		Name: "Tocsin", Domain: "enterprise-attack", Versions: map[string]string{"layer": "4.5", "navigator": "5.1.0"},
		Description: fmt.Sprintf("What %d rules cover; set %s.", len(set.Rules), set.Hash),
		Techniques:  []layerTechnique{},
		Gradient:    layerGradient{Colors: []string{"#ffffff", "#f4c987", "#7fc08a"}, Min: 0, Max: 2},
		Legend:      []layerLegend{{"covered", "#f4c987"}, {"covered, with tests", "#7fc08a"}},
	}
	for id, rs := range byTechnique {
		t := layerTechnique{ID: id, Score: 1}
		var with, without []string
		for _, r := range rs {
			if len(r.Tests) > 0 {
				with = append(with, r.ID)
				t.Score = 2
			} else {
				without = append(without, r.ID)
			}
		}
		t.Comment = strings.Join(append(slices.Clone(with), without...), ", ")
		for _, m := range []layerMeta{{"rules with tests", strings.Join(with, ", ")}, {"rules without tests", strings.Join(without, ", ")}} {
			if m.Value != "" {
				t.Metadata = append(t.Metadata, m)
			}
		}
		for other := range byTechnique {
			t.Parent = t.Parent || strings.HasPrefix(other, id+".")
		}
		l.Techniques = append(l.Techniques, t)
	}
	sort.Slice(l.Techniques, func(i, j int) bool { return l.Techniques[i].ID < l.Techniques[j].ID })
	return l, bare
}
