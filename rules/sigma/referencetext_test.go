// SPDX-License-Identifier: Apache-2.0

package sigma_test

import (
	"encoding/json"
	"fmt"
	"math/big"
	"net/netip"
	"strconv"
	"time"

	"tocsin/rules/pred"
)

// plainText is the text of a scalar.
func plainText(v any) (string, bool) {
	switch v := v.(type) {
	case string:
		return v, true
	case bool:
		return strconv.FormatBool(v), true
	case json.Number:
		if _, whole := new(big.Int).SetString(v.String(), 10); whole {
			return v.String(), true
		}
		f, err := v.Float64()
		return strconv.FormatFloat(f, 'g', -1, 64), err == nil
	case int64, uint64:
		return fmt.Sprint(v), true
	}
	return "", false
}

func compares(op pred.Op, s, want string) bool {
	at := func(i int) bool { return i >= 0 && i+len(want) <= len(s) && s[i:i+len(want)] == want }
	switch op {
	case pred.Is:
		return s == want
	case pred.Prefix:
		return at(0)
	case pred.Suffix:
		return at(len(s) - len(want))
	case pred.Contains:
		for i := 0; i+len(want) <= len(s); i++ {
			if at(i) {
				return true
			}
		}
		return false
	}
	panic(fmt.Sprint("the reference knows no operation ", op))
}

// like matches wildcards the way one does by hand: at a star it goes on behind, and comes back with one rune more.
func like(s []rune, g pred.Glob) bool {
	const star = -1
	const one = -2
	var p []rune
	for i, c := range g.Chunks {
		if i > 0 {
			p = append(p, star)
		}
		for _, r := range c {
			if r.Any {
				p = append(p, one)
			} else {
				p = append(p, r.R)
			}
		}
	}
	i, j, back, from := 0, 0, -1, 0
	for i < len(s) {
		switch {
		case j < len(p) && p[j] == star:
			back, from = j+1, i
			j++
		case j < len(p) && (p[j] == one || p[j] == s[i]):
			i, j = i+1, j+1
		case back >= 0:
			from++
			i, j = from, back
		default:
			return false
		}
	}
	for j < len(p) && p[j] == star {
		j++
	}
	return j == len(p)
}

func inNetwork(s string, nets []netip.Prefix) bool {
	a, err := netip.ParseAddr(s)
	if err != nil {
		return false
	}
	for _, n := range nets {
		if n.Contains(a.Unmap()) {
			return true
		}
	}
	return false
}

// number reads a number, also in a string.
func number(v any) *big.Rat {
	s, ok := plainText(v)
	if _, truth := v.(bool); truth || !ok {
		return nil
	}
	r, ok := new(big.Rat).SetString(s)
	if !ok {
		return nil
	}
	return r
}

func ordered(op pred.Op, c int) bool {
	switch op {
	case pred.Less:
		return c < 0
	case pred.LessEqual:
		return c <= 0
	case pred.Greater:
		return c > 0
	}
	return c >= 0
}

func calendar(t *pred.Test, v any) bool {
	s, _ := v.(string)
	at, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		return false
	}
	at = at.UTC()
	_, week := at.ISOWeek()
	part := map[pred.TimePart]int{
		pred.Minute: at.Minute(), pred.Hour: at.Hour(), pred.Day: at.Day(), pred.Week: week, pred.Month: int(at.Month()), pred.Year: at.Year(),
	}[t.Part]
	c := big.NewRat(int64(part), 1).Cmp(number(t.Values[0].Text()))
	if t.Compare == pred.Equal {
		return c == 0
	}
	return ordered(t.Compare, c)
}
