// SPDX-License-Identifier: Apache-2.0

package pred

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
)

// Digest names what a condition means: conditions of one digest hold of the same events.
func Digest(n Node) string {
	h := sha256.New()
	var write func(Node)
	write = func(n Node) {
		several := func(name string, parts []Node) {
			fmt.Fprintf(h, "%s %d(", name, len(parts))
			for _, x := range parts {
				write(x)
			}
			fmt.Fprint(h, ")")
		}
		switch n := n.(type) {
		case And:
			several("and", n)
		case Or:
			several("or", n)
		case Not:
			several("not", []Node{n.X})
		case Gated:
			several("gated", []Node{n.Gate, n.X})
		case Const:
			fmt.Fprint(h, bool(n))
		case *Test:
			fmt.Fprintf(h, "%q", n.key())
		}
	}
	write(n)
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// Print writes a condition for people.
func Print(n Node) string {
	join := func(parts []Node, word string) string {
		var out []string
		for _, x := range parts {
			s := Print(x)
			switch x.(type) {
			case And, Or, Gated:
				s = "(" + s + ")"
			}
			out = append(out, s)
		}
		return strings.Join(out, " "+word+" ")
	}
	switch n := n.(type) {
	case And:
		return join(n, "and")
	case Or:
		return join(n, "or")
	case Not:
		return "not (" + Print(n.X) + ")"
	case Gated:
		return join([]Node{n.Gate, n.X}, "and")
	case Const:
		return fmt.Sprint(bool(n))
	case *Test:
		return n.String()
	}
	return ""
}
