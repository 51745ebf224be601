// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strings"

	"tocsin/rules"
)

// loadRules reads rule files: *.yml and *.yaml under each path, and *.txt and *.csv in its folders named lists, in order
// of name.
func loadRules(paths []string) (*rules.Set, error) {
	files, err := readRules(paths)
	if err != nil {
		return nil, err
	}
	set, err := rules.Compile(files)
	if err != nil {
		return nil, &usageError{err}
	}
	return set, nil
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
	var names []string
	for _, p := range paths {
		info, err := os.Stat(p)
		if err != nil {
			return nil, &usageError{fmt.Errorf("rules: %w", err)}
		}
		if !info.IsDir() {
			names = append(names, p)
			continue
		}
		err = filepath.WalkDir(p, func(path string, d fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			if !d.IsDir() && !strings.HasPrefix(d.Name(), ".") && isRuleFile(path) {
				names = append(names, path)
			}
			return nil
		})
		if err != nil {
			return nil, fmt.Errorf("rules: %w", err)
		}
	}
	sort.Strings(names)
	var files []rules.File
	for _, name := range names {
		data, err := os.ReadFile(name)
		if err != nil {
			return nil, fmt.Errorf("rules: %w", err)
		}
		files = append(files, rules.File{Name: name, Data: data})
	}
	return files, nil
}
