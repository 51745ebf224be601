// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"tocsin/correlate"
	"tocsin/rules"
)

// ruleTree is where rules are read from: files, and the folders that have them.
type ruleTree struct {
	files, folders []string
}

// findRules lists *.yml and *.yaml under each path, and *.txt and *.csv in its folders named lists, by name. Links are
// followed: a ConfigMap's volume is made of them. What begins with a dot is left out.
func findRules(paths []string) (ruleTree, error) {
	var t ruleTree
	seen := make(map[string]bool) // folders, as they really are: links may go in circles
	var walk func(path string, named bool) error
	walk = func(path string, named bool) error {
		info, err := os.Stat(path)
		if err != nil {
			return err
		}
		if !info.IsDir() {
			if named || isRuleFile(path) {
				t.files = append(t.files, path)
			}
			return nil
		}
		really, err := filepath.EvalSymlinks(path)
		if err != nil || seen[really] {
			return err
		}
		seen[really] = true
		t.folders = append(t.folders, path)
		entries, err := os.ReadDir(path)
		if err != nil {
			return err
		}
		for _, e := range entries {
			if !strings.HasPrefix(e.Name(), ".") {
				if err := walk(filepath.Join(path, e.Name()), false); err != nil {
					return err
				}
			}
		}
		return nil
	}
	for _, p := range paths {
		if err := walk(p, true); err != nil {
			return ruleTree{}, &usageError{fmt.Errorf("rules: %w", err)}
		}
	}
	slices.Sort(t.files)
	t.files = slices.Compact(t.files)
	return t, nil
}

// isRuleFile reports whether a file in a folder of rules is one of rules, or a lookup list in a folder of lists.
func isRuleFile(path string) bool {
	switch filepath.Ext(path) {
	case ".yml", ".yaml":
		return true
	case ".txt", ".csv":
		return filepath.Base(filepath.Dir(path)) == "lists"
	}
	return false
}

func readRules(paths []string) ([]rules.File, error) {
	t, err := findRules(paths)
	if err != nil {
		return nil, err
	}
	var files []rules.File
	for _, name := range t.files {
		data, err := readRuleFile(name)
		if err != nil {
			return nil, fmt.Errorf("rules: %w", err)
		}
		files = append(files, rules.File{Name: name, Data: data})
	}
	return files, nil
}

// readRuleFile reads a file of rules, of one that is too large as much as shows it; a lookup list is read whole.
func readRuleFile(name string) ([]byte, error) {
	if ext := filepath.Ext(name); ext == ".txt" || ext == ".csv" {
		return os.ReadFile(name)
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, rules.MaxFile+1))
}

// loadRules reads and compiles the rules under some paths. The error joins all mistakes. If ctx ends nobody waits any
// longer: compiling is pure, and goes on for nobody until it is done or the process ends.
func loadRules(ctx context.Context, paths []string) (*rules.Set, error) {
	files, err := readRules(paths)
	if err != nil {
		return nil, err
	}
	return unlessEnded(ctx, func() (*rules.Set, error) { return compileRules(files) })
}

// unlessEnded returns what f does, or that ctx ended before.
func unlessEnded[T any](ctx context.Context, f func() (T, error)) (out T, err error) {
	type result struct {
		out T
		err error
	}
	done := make(chan result, 1)
	go func() {
		out, err := f()
		done <- result{out, err}
	}()
	select {
	case <-ctx.Done():
		return out, fmt.Errorf("rules: %w", context.Cause(ctx))
	case r := <-done:
		return r.out, r.err
	}
}

func compileRules(files []rules.File) (*rules.Set, error) {
	set, err := rules.Compile(files)
	if err != nil {
		return nil, &usageError{err}
	}
	var errs []error
	for _, r := range set.Rules {
		if err := correlate.Check(r); err != nil {
			errs = append(errs, &rules.Error{File: r.File, Line: r.Line, Rule: r.ID, Err: err})
		}
	}
	if len(errs) > 0 {
		return nil, &usageError{errors.Join(errs...)}
	}
	return set, nil
}
