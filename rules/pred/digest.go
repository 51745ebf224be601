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
	var b strings.Builder
	printNode(&b, n)
	return b.String()
}

func printNode(b *strings.Builder, n Node) {
	bracketed := func(n Node) {
		b.WriteString("(")
		printNode(b, n)
		b.WriteString(")")
	}
	join := func(parts []Node, word string) {
		for i, x := range parts {
			if i > 0 {
				b.WriteString(word)
			}
			switch x.(type) {
			case And, Or, Gated:
				bracketed(x)
			default:
				printNode(b, x)
			}
		}
	}
	switch n := n.(type) {
	case And:
		join(n, " and ")
	case Or:
		join(n, " or ")
	case Not:
		b.WriteString("not ")
		bracketed(n.X)
	case Gated:
		join([]Node{n.Gate, n.X}, " and ")
	case Const:
		fmt.Fprint(b, bool(n))
	case *Test:
		b.WriteString(n.String())
	}
}
