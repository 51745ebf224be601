// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/xml"
	"fmt"
	"io"
	"regexp"
	"time"

	"github.com/spf13/cobra"

	"tocsin/ingest"
	"tocsin/pipeline"
	"tocsin/rules"
)

// The form in which test runners tell CI of tests: JUnit's XML, as its readers agree on it.
type (
	junitRun struct {
		XMLName  xml.Name     `xml:"testsuites"`
		Tests    int          `xml:"tests,attr"`
		Failures int          `xml:"failures,attr"`
		Time     string       `xml:"time,attr"`
		Suites   []junitSuite `xml:"testsuite"`
	}
	junitSuite struct {
		Name     string      `xml:"name,attr"`
		File     string      `xml:"file,attr"`
		Tests    int         `xml:"tests,attr"`
		Failures int         `xml:"failures,attr"`
		Time     string      `xml:"time,attr"`
		Cases    []junitCase `xml:"testcase"`
	}
	junitCase struct {
		Name    string        `xml:"name,attr"`
		Class   string        `xml:"classname,attr"`
		File    string        `xml:"file,attr"`
		Line    int           `xml:"line,attr"`
		Time    string        `xml:"time,attr"`
		Failure *junitFailure `xml:"failure"`
	}
	junitFailure struct {
		Message string `xml:"message,attr"`
		Text    string `xml:",chardata"`
	}
)

// tested is one test that has run.
type tested struct {
	rule *rules.Rule
	test rules.Test
	took time.Duration
	err  error
}

func newRulesTestCommand(c *cli) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "test [PATH…]",
		Short: "Run the tests inside rule files, in order, shuffled, duplicated and split by a restart",
	}
	form := c.formatFlag(cmd, "text", "junit")
	var which string
	cmd.Flags().StringVar(&which, "run", "", "run only the tests whose RULE/NAME this regular expression matches")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := form.check(); err != nil {
			return err
		}
		pick, err := regexp.Compile(which)
		if err != nil {
			return &usageError{fmt.Errorf("--run: %w", err)}
		}
		cfg, args, err := c.rulePaths(args)
		if err != nil {
			return err
		}
		set, err := loadRules(cmd.Context(), args)
		if err != nil {
			return err
		}
		all := pickTests(set, pick)
		if which != "" && len(all) == 0 {
			return &usageError{fmt.Errorf("--run: no test is like %q", which)}
		}
		parser := ingest.NewParser(cfg.parserConfig())
		running := c.progress("tests")
		failed := 0
		for i := range all {
			running.at(i, len(all))
			t := &all[i]
			start := time.Now()
			t.err = pipeline.RunTest(cmd.Context(), set, t.rule, t.test, parser, cfg.Lateness)
			t.took = time.Since(start)
			if err := cmd.Context().Err(); err != nil {
				return err
			}
			if t.err != nil {
				failed++
				running.end()
				fmt.Fprintln(c.stderr, t.err)
			}
		}
		running.end()
		if form.word == "junit" {
			if err := printJUnit(c.stdout, all); err != nil {
				return err
			}
		} else {
			fmt.Fprintf(c.stdout, "%d rules, %d tests passed, %d failed\n", len(set.Rules), len(all)-failed, failed)
		}
		if failed > 0 {
			return errSilent
		}
		return nil
	}
	return cmd
}

func pickTests(set *rules.Set, pick *regexp.Regexp) []tested {
	var all []tested
	for _, r := range set.Rules {
		for _, t := range r.Tests {
			if pick.MatchString(r.ID + "/" + t.Name) {
				all = append(all, tested{rule: r, test: t})
			}
		}
	}
	return all
}

func printJUnit(w io.Writer, all []tested) error {
	seconds := func(d time.Duration) string { return fmt.Sprintf("%.3f", d.Seconds()) }
	var out junitRun
	var total time.Duration
	spent := make(map[string]time.Duration)
	for _, t := range all {
		if n := len(out.Suites); n == 0 || out.Suites[n-1].Name != t.rule.ID {
			out.Suites = append(out.Suites, junitSuite{Name: t.rule.ID, File: t.rule.File})
		}
		s := &out.Suites[len(out.Suites)-1]
		x := junitCase{Name: t.test.Name, Class: t.rule.ID, File: t.rule.File, Line: t.test.Line, Time: seconds(t.took)}
		if t.err != nil {
			x.Failure = &junitFailure{Message: "the rule does not find what the test expects", Text: t.err.Error()}
			s.Failures++
			out.Failures++
		}
		s.Cases = append(s.Cases, x)
		s.Tests++
		out.Tests++
		total += t.took
		spent[s.Name] += t.took
		s.Time = seconds(spent[s.Name])
	}
	out.Time = seconds(total)
	enc := xml.NewEncoder(w)
	enc.Indent("", "  ")
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return err
	}
	if err := enc.Encode(out); err != nil {
		return err
	}
	_, err := io.WriteString(w, "\n")
	return err
}
