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
	sum := sha256.Sum256(appendNode(nil, n))
	return hex.EncodeToString(sum[:16])
}

func appendNode(b []byte, n Node) []byte {
	switch n := n.(type) {
	case And:
		return appendNodes(append(b, '&'), n)
	case Or:
		return appendNodes(append(b, '|'), n)
	case Not:
		return appendNode(append(b, '!'), n.X)
	case Gated:
		return appendNode(appendNode(append(b, 'g'), n.Gate), n.X)
	case Const:
		return append(b, 't', flag(bool(n)))
	case *Test:
		return n.appendKey(append(b, '?'))
	}
	return b
}

func appendNodes(b []byte, parts []Node) []byte {
	b = appendLen(b, len(parts))
	for _, x := range parts {
		b = appendNode(b, x)
	}
	return b
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
