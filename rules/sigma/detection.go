// SPDX-License-Identifier: Apache-2.0

package sigma

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml/ast"

	"tocsin/event"
	"tocsin/rules/pred"
)

// reader reads one document.
type reader struct {
	config *Config
	source *logsource
	// gate: what is read is what an event is, not what happened. Of Windows' note that a log was cleared the channel is
	// System, though the event has a field Channel that names the log.
	gate bool
	// guessed are the placeholders it met that only the program defines.
	guessed []Guess
	// program counts the instructions of the document's regular expressions.
	program int
}

// field returns where a field of the rules is read (detection.md S4): under its name as written or with its spaces
// stripped, in the source's own object and the objects beneath which its fields stand, then in the canonical field of
// that name, then where the mapping of the log source says.
func (r *reader) field(name string) pred.Field {
	name = strings.TrimSpace(name)
	bare := strings.ReplaceAll(name, " ", "")
	f := pred.Field{Name: bare}
	add := func(ss ...pred.Source) {
		for _, s := range ss {
			if !slices.ContainsFunc(f.Sources, func(x pred.Source) bool { return x.Slot == s.Slot && slices.Equal(x.Path, s.Path) }) {
				f.Sources = append(f.Sources, s)
			}
		}
	}
	own := func(name string) {
		add(ways("", name)...)
		if r.source != nil {
			for _, object := range r.source.under {
				add(ways(object, name)...)
			}
		}
	}
	if r.source != nil {
		r.first(bare, add)
	}
	own(name)
	own(bare)
	if slot, ok := event.Lookup(bare); ok {
		add(pred.Source{Slot: slot})
	}
	if r.source == nil {
		return f
	}
	for _, to := range r.source.fields[bare] {
		switch slot, ok := event.Lookup(to); {
		case ok:
			add(pred.Source{Slot: slot})
		case strings.Contains(to, "."): // from the root
			add(ways("", to)...)
			add(nested(to))
		default:
			own(to)
		}
	}
	return f
}

// first adds where a field is looked for before anywhere else: within an object of its own name, where that would be found
// and is no text, and for a gate in the record itself and where the log source has its own names for it.
func (r *reader) first(name string, add func(...pred.Source)) {
	if r.gate {
		add(ways("", name)...)
	}
	for _, to := range r.source.fields[name] {
		if strings.HasPrefix(to, name+".") || r.gate && strings.Contains(to, ".") {
			add(nested(to))
		}
	}
}

// maxParts bounds the parts of a dotted name that are looked for as objects.
const maxParts = 8

// ways are the paths that a dotted name can mean beneath an object: one key, or keys from object to object, or those and
// a key with dots at the end, as Falco's output_fields have them.
func ways(object, name string) (out []pred.Source) {
	var at []pred.Step
	if object != "" {
		at = nested(object).Path
	}
	for range maxParts {
		out = append(out, pred.Source{Path: append(slices.Clip(at), pred.Step{Key: name})})
		first, rest, ok := strings.Cut(name, ".")
		if !ok || first == "" || rest == "" {
			break
		}
		at, name = append(slices.Clip(at), pred.Step{Key: first}), rest
	}
	return out
}

// nested is a dotted name as a path; a number in it is the place of an element.
func nested(name string) pred.Source {
	var s pred.Source
	for part := range strings.SplitSeq(name, ".") {
		if i, err := strconv.ParseUint(part, 10, 8); err == nil {
			s.Path = append(s.Path, pred.Step{Index: int(i)})
		} else {
			s.Path = append(s.Path, pred.Step{Key: part})
		}
	}
	return s
}

// detection reads the block of that name: selections and a condition over them.
func (r *reader) detection(n ast.Node) (pred.Node, error) {
	ms, err := members(n, "detection")
	if err != nil {
		return nil, err
	}
	return r.block(n, ms)
}

// block reads selections and a condition over them.
func (r *reader) block(n ast.Node, ms []member) (pred.Node, error) {
	var names []string
	var at ast.Node
	var conditions []ast.Node
	selections := make(map[string]ast.Node)
	for _, m := range ms {
		switch m.key {
		case "condition":
			at, conditions = m.at, list(m.value)
		case "timeframe":
			return nil, fail(m.at, "timeframe is no longer of Sigma: write a correlation")
		default:
			names = append(names, m.key)
			selections[m.key] = m.value
		}
	}
	if at == nil {
		return nil, fail(n, "the detection has no condition")
	}
	done, sizes := make(map[string]pred.Node), make(map[string]int)
	leaf := func(name string) (pred.Node, error) {
		if n, ok := done[name]; ok {
			return n, nil
		}
		n, err := r.selection(selections[name])
		done[name] = n
		if err == nil {
			sizes[name] = pred.Size(n)
		}
		return n, err
	}
	for _, name := range names { // also those that no condition names have to be right
		if _, err := leaf(name); err != nil {
			return nil, err
		}
	}
	written := 0
	named := func(name string) (pred.Node, error) {
		n, err := leaf(name)
		if written += sizes[name]; written > pred.MaxSize {
			return nil, fmt.Errorf("with each selection written out where it is named it is %d bytes, at most %d are allowed", written, pred.MaxSize)
		}
		return n, err
	}
	var either pred.Or
	for _, c := range conditions {
		src, ok := text(c)
		if !ok {
			return nil, fail(at, "a condition is a text")
		}
		n, err := parseCondition(src, names, named)
		if err != nil {
			return nil, fail(at, "condition: %v", err)
		}
		either = append(either, n)
	}
	switch len(either) {
	case 0:
		return nil, fail(at, "the detection has no condition")
	case 1:
		return either[0], nil
	}
	return either, nil
}

// selection reads a map, of which all must hold; a list of maps or keywords, of which one must.
func (r *reader) selection(n ast.Node) (pred.Node, error) {
	if isMapping(n) {
		ms, err := members(n, "a selection")
		if err != nil {
			return nil, err
		}
		if len(ms) == 0 {
			return nil, fail(n, "a selection is empty: it would hold of every event")
		}
		var all pred.And
		for _, m := range ms {
			x, err := r.item(m)
			if err != nil {
				return nil, err
			}
			all = append(all, x)
		}
		if len(all) == 1 {
			return all[0], nil
		}
		return all, nil
	}
	var either pred.Or
	var keywords []ast.Node
	for _, x := range list(n) {
		switch {
		case isMapping(x):
			s, err := r.selection(x)
			if err != nil {
				return nil, err
			}
			either = append(either, s)
		case x == nil:
			return nil, fail(n, "a selection is empty")
		default:
			keywords = append(keywords, x)
		}
	}
	if len(keywords) > 0 {
		words, err := r.keywords(keywords)
		if err != nil {
			return nil, err
		}
		either = append(either, words)
	}
	switch len(either) {
	case 0:
		return nil, fail(n, "a selection is empty")
	case 1:
		return either[0], nil
	}
	return either, nil
}

// keywords are texts of which one stands anywhere in the record.
func (r *reader) keywords(ns []ast.Node) (pred.Node, error) {
	if err := tooMany(ns[0], ns); err != nil {
		return nil, err
	}
	it := &item{r: r, at: ns[0], field: pred.Field{Name: "the record", Everywhere: true}}
	for _, n := range ns {
		s, ok := text(n)
		if !ok {
			return nil, fail(n, "a keyword is a text")
		}
		it.values = append(it.values, operand{text: s, wild: parseWild(s)})
	}
	return it.node()
}
