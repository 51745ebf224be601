// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"path/filepath"
	"sort"

	"github.com/spf13/cobra"

	"tocsin/rules"
)

// finding is what is wrong with a rule, or odd about it.
type finding struct {
	// Level is error or warning; a Set with an error does not load.
	Level string `json:"level"`
	// Kind is a short label: invalid, no-rules, no-tests, beyond-retention, or that of a [rules.Warning].
	Kind string `json:"kind"`
	Rule string `json:"rule,omitempty"`
	File string `json:"file,omitempty"`
	Line int    `json:"line,omitempty"`
	// Column counts characters from 1; 0 if only the line is known.
	Column  int    `json:"column,omitempty"`
	Message string `json:"message"`
}

// String is a finding as a line for people.
func (f finding) String() string {
	if f.Rule == "" {
		return f.File + ": " + f.Message
	}
	return fmt.Sprintf("%s:%d: rule %q: %s", f.File, f.Line, f.Rule, f.Message)
}

// kinds explains each kind of finding.
var kinds = map[string]string{
	"invalid":             "The rule does not compile.",
	"unknown-logsource":   "No one knows the log source of a Sigma rule: it is matched against all events.",
	"guessed-placeholder": "A placeholder of a Sigma rule stands for what comes with the program, not for what is so here.",
	"never-matches":       "A pattern asks for what one field cannot be at once.",
	"no-witness":          "A pattern is evaluated for every event, since no index can find it.",
	"reads-part":          "A pattern costs so much for each byte that it reads the beginning of a long text only.",
	"no-rules":            "A file of rules has none: it is empty, or has comments alone.",
	"no-tests":            "Nothing shows that the rule fires when it should, and only then.",
	"beyond-retention":    "The rule looks further back than EVENTS keeps records: old evidence will lack its bytes.",
}

// checkReport is what `rules check` prints.
type checkReport struct {
	// Rules and Set are of rules that load; zero if one does not.
	Rules    int       `json:"rules"`
	Set      string    `json:"set"`
	Findings []finding `json:"findings"`
}

func newRulesCheckCommand(c *cli) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "check [PATH…]",
		Short: "Compile rules; every mistake with file, line and what was meant",
	}
	form := c.formatFlag(cmd, "text", "json", "sarif")
	cmd.RunE = func(_ *cobra.Command, args []string) error {
		if err := form.check(); err != nil {
			return err
		}
		cfg, args, err := c.rulePaths(args)
		if err != nil {
			return err
		}
		set, err := loadRules(cmd.Context(), args)
		if form.word == "text" {
			if err != nil {
				return err
			}
			fmt.Fprintf(c.stdout, "%d rules, set %s\n", len(set.Rules), set.Hash)
			for _, f := range oddities(cfg, set) {
				fmt.Fprintln(c.stderr, f)
			}
			return nil
		}
		report := checkReport{Findings: []finding{}}
		if err != nil {
			if report.Findings = invalid(err); report.Findings == nil {
				return err
			}
		} else {
			report.Rules, report.Set = len(set.Rules), set.Hash
			report.Findings = append(report.Findings, oddities(cfg, set)...)
		}
		if form.word == "json" {
			err = printJSON(c.stdout, report)
		} else {
			err = printJSON(c.stdout, sarifOf(report.Findings))
		}
		if err == nil && set == nil {
			return &usageError{errSilent}
		}
		return err
	}
	return cmd
}

// invalid lists what keeps rules from loading; nil if it is not the rules.
func invalid(err error) []finding { return invalidOf(mistakes(err)) }

func invalidOf(wrong []error) []finding {
	var out []finding
	for _, e := range wrong {
		f := finding{Level: "error", Kind: "invalid", Message: e.Error()}
		if at, ok := errors.AsType[*rules.Error](e); ok {
			f.Rule, f.File, f.Line, f.Column, f.Message = at.Rule, at.File, at.Line, at.Column, at.Err.Error()
		}
		out = append(out, f)
	}
	return out
}

// oddities lists what is odd about rules that load, by file and line.
func oddities(cfg Config, set *rules.Set) []finding {
	var out []finding
	for _, name := range set.Empty {
		out = append(out, finding{Level: "warning", Kind: "no-rules", File: name, Message: "there is no rule in it"})
	}
	warn := func(r *rules.Rule, kind, format string, args ...any) {
		out = append(out, finding{"warning", kind, r.ID, r.File, r.Line, 0, fmt.Sprintf(format, args...)})
	}
	for _, w := range set.Warnings() {
		warn(w.Rule, w.Kind, "%s", w.Message)
	}
	for _, r := range set.Rules {
		if kept := cfg.Retention.Events.Age; kept > 0 && r.Within+2*cfg.Lateness > kept {
			warn(r, "beyond-retention", "within %s and twice the lateness is beyond the retention of EVENTS (%s): old evidence will lack its bytes", spell(r.Within), spell(kept))
		}
		if len(r.Tests) == 0 {
			warn(r, "no-tests", "it has no tests")
		}
	}
	sort.SliceStable(out, func(i, j int) bool {
		return out[i].File < out[j].File || out[i].File == out[j].File && out[i].Line < out[j].Line
	})
	return out
}

func printJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}

// sarifOf puts findings in the form that code hosts show beside the lines: SARIF 2.1.0, sections 3.13 to 3.30.
func sarifOf(findings []finding) any {
	type object = map[string]any
	ids := make([]string, 0, len(kinds))
	for id := range kinds {
		ids = append(ids, id)
	}
	sort.Strings(ids)
	descriptors := []object{}
	for _, id := range ids {
		descriptors = append(descriptors, object{"id": id, "shortDescription": object{"text": kinds[id]}})
	}
	results := []object{}
	for _, f := range findings {
		message := f.Message
		if f.Rule != "" {
			message = fmt.Sprintf("rule %q: %s", f.Rule, f.Message)
		}
		r := object{"ruleId": f.Kind, "level": f.Level, "message": object{"text": message}}
		if f.File != "" {
			place := object{"artifactLocation": object{"uri": (&url.URL{Path: filepath.ToSlash(f.File)}).String()}}
			if f.Line > 0 {
				region := object{"startLine": f.Line}
				if f.Column > 0 {
					region["startColumn"] = f.Column
				}
				place["region"] = region
			}
			r["locations"] = []object{{"physicalLocation": place}}
		}
		results = append(results, r)
	}
	return object{
		"$schema": "https://json.schemastore.org/sarif-2.1.0.json", "version": "2.1.0",
		"runs": []object{{
			"tool":    object{"driver": object{"name": "tocsin", "version": version, "rules": descriptors}},
			"results": results,
		}},
	}
}
