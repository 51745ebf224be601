// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"bytes"
	"crypto/sha256"
	"encoding/csv"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"tocsin/rules/pred"
)

// maxListed bounds the entries of a lookup list.
const maxListed = 1_000_000

// list is a lookup list: a file of values for listed("name", value).
type list struct {
	values []string
	digest string
}

// isList reports whether a file is a lookup list and no rules.
func isList(name string) bool {
	return strings.HasSuffix(name, ".txt") || strings.HasSuffix(name, ".csv")
}

// readLists reads the lookup lists among files. A list is called as its file is, without the ending.
func readLists(files []File) (map[string]*list, []error) {
	out := make(map[string]*list)
	from := make(map[string]string)
	var errs []error
	for _, f := range files {
		if !isList(f.Name) {
			continue
		}
		name := strings.TrimSuffix(filepath.Base(f.Name), filepath.Ext(f.Name))
		values, line, err := listValues(f)
		switch {
		case err != nil:
			errs = append(errs, &Error{File: f.Name, Line: line, Err: err})
		case out[name] != nil:
			errs = append(errs, &Error{File: f.Name, Line: 1, Err: fmt.Errorf("there is a list %q already, in %s", name, from[name])})
		}
		slices.Sort(values)
		values = slices.Compact(values)
		sum := sha256.Sum256([]byte(strings.Join(values, "\n")))
		out[name], from[name] = &list{values, hex.EncodeToString(sum[:16])}, f.Name
	}
	return out, errs
}

// listValues returns the values of a file: of text one a line, without empty lines and those that begin with #; of CSV
// the first column, without a first row of the one word value.
func listValues(f File) (values []string, line int, err error) {
	take := func(s string) {
		if s = strings.TrimSpace(s); s != "" && !strings.HasPrefix(s, "#") {
			values = append(values, s)
		}
	}
	if strings.HasSuffix(f.Name, ".txt") {
		for s := range strings.Lines(string(f.Data)) {
			take(s)
		}
	} else {
		r := csv.NewReader(bytes.NewReader(f.Data))
		r.FieldsPerRecord = -1
		for first := true; ; first = false {
			row, err := r.Read()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				bad, _ := errors.AsType[*csv.ParseError](err)
				if bad != nil {
					line = bad.Line
				}
				return nil, line, err
			}
			if !first || !strings.EqualFold(row[0], "value") {
				take(row[0])
			}
		}
	}
	if len(values) > maxListed {
		return nil, 1, fmt.Errorf("a list has at most %d values, this one has %d", maxListed, len(values))
	}
	return values, 0, nil
}

// listed compiles listed("name", value): the value, as text, is in the list. The values come with [draft.lookUp].
func listed(args []operand) (pred.Node, error) {
	if len(args) != 2 {
		return nil, fmt.Errorf("listed takes a list's name and a value, not %d arguments", len(args))
	}
	name, err := textArgument("listed", args, 0)
	if err != nil {
		return nil, err
	}
	if args[1].konst {
		return nil, errors.New("listed looks up a field, not a constant")
	}
	return args[1].fold(&pred.Test{Op: pred.Is, Loose: true, List: name}), nil
}

// lookUp gives the tests of lookup lists in a condition their values, which are a part of what the rule means (E3).
func (d *draft) lookUp(n pred.Node) error {
	switch n := n.(type) {
	case pred.And:
		for _, x := range n {
			if err := d.lookUp(x); err != nil {
				return err
			}
		}
	case pred.Or:
		return d.lookUp(pred.And(n))
	case pred.Not:
		return d.lookUp(n.X)
	case *pred.Test:
		if n.List == "" {
			return nil
		}
		l := d.lists[n.List]
		if l == nil {
			return fmt.Errorf("there is no list %q%s", n.List, meant(n.List, slices.Sorted(maps.Keys(d.lists))))
		}
		n.Texts = l.values
		d.rule.keySources = append(d.rule.keySources, "list "+n.List+" "+l.digest)
	}
	return nil
}
