// SPDX-License-Identifier: Apache-2.0

package sigma

import "tocsin/rules/pred"

// textual compares texts; values of one shape share a test.
func (it *item) textual(values []operand) (pred.Node, error) {
	before, behind := it.before, it.behind
	if it.field.Everywhere && !before && !behind {
		before, behind = true, true // a keyword stands somewhere in the record
	}
	var out pred.Or
	byOp := make(map[pred.Op]*pred.Test)
	type one struct {
		op   pred.Op
		text string
	}
	seen := make(map[one]bool)
	for _, o := range values {
		if o.null {
			out = append(out, &pred.Test{Field: it.field, Op: pred.Null})
			continue
		}
		forms := []wild{o.wild}
		if o.spelt != nil {
			forms = append(forms, o.spelt)
		}
		for _, w := range forms {
			op, s, glob := w.around(before, behind).shape()
			if s == "" && op != pred.Is && op != pred.Like {
				out = append(out, &pred.Test{Field: it.field, Op: pred.Exists}) // *: anything
				continue
			}
			t := byOp[op]
			if t == nil {
				t = &pred.Test{Field: it.field, Op: op, Loose: true, Fold: !it.cased}
				byOp[op] = t
				out = append(out, t)
			}
			if t.Fold {
				s, glob = pred.Fold(s), glob.Folded()
			}
			if op == pred.Like {
				if err := pred.CheckGlob(glob); err != nil {
					return nil, fail(it.at, "%v", err)
				}
				t.Globs = append(t.Globs, glob)
			} else if !seen[one{op, s}] {
				seen[one{op, s}] = true
				t.Texts = append(t.Texts, s)
			}
		}
	}
	if len(out) == 1 {
		return out[0], nil
	}
	return out, nil
}
