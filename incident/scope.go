// SPDX-License-Identifier: Apache-2.0

package incident

import (
	"fmt"
	"slices"
	"strings"
)

// Any stands for every cluster, or every namespace, in a [Scope].
const Any = "*"

// Place is a cluster and a namespace in it, as an event names them; either is "" if it names none.
type Place struct{ Cluster, Namespace string }

// PlaceOf returns where an event with these canonical fields was.
func PlaceOf(fields map[string]any) Place {
	text := func(name string) string { s, _ := fields[name].(string); return s }
	return Place{text("k8s.cluster.name"), text("k8s.namespace.name")}
}

// Scope bounds what somebody sees: a nil Scope is everything, an empty one nothing. In its places [Any] stands for every
// name, and for none.
type Scope []Place

// ParseScope reads places in the form cluster/namespace, either of which may be *. Names of clusters may have a slash,
// those of namespaces have none. Texts of nil are everything, and so are those with */*.
func ParseScope(texts []string) (Scope, error) {
	if texts == nil {
		return nil, nil
	}
	out := make(Scope, 0, len(texts))
	for _, text := range texts {
		i := strings.LastIndexByte(text, '/')
		if i < 0 || i == len(text)-1 || i == 0 {
			return nil, fmt.Errorf("%q is no cluster/namespace: write prod/shop, prod/* or */shop", text)
		}
		p := Place{text[:i], text[i+1:]}
		if p.Cluster != Any && strings.Contains(p.Cluster, Any) || p.Namespace != Any && strings.Contains(p.Namespace, Any) {
			return nil, fmt.Errorf("%q: * stands for a whole name, not for a part of one", text)
		}
		out = append(out, p)
	}
	if slices.Contains(out, Place{Any, Any}) {
		return nil, nil
	}
	return out, nil
}

// Texts returns what [ParseScope] reads.
func (s Scope) Texts() []string {
	if s == nil {
		return nil
	}
	out := make([]string, len(s))
	for i, p := range s {
		out[i] = p.Cluster + "/" + p.Namespace
	}
	return out
}

// Has reports whether what was at a place is in scope.
func (s Scope) Has(at Place) bool {
	if s == nil {
		return true
	}
	for _, p := range s {
		if (p.Cluster == Any || p.Cluster == at.Cluster) && (p.Namespace == Any || p.Namespace == at.Namespace) {
			return true
		}
	}
	return false
}

// Within reports whether all that s has, outer has: who sees outer may let others see s.
func (s Scope) Within(outer Scope) bool {
	if outer == nil {
		return true
	}
	if s == nil {
		return false
	}
	for _, p := range s {
		// [Any] in p is met by nothing but Any in outer: that no name is left out is not known otherwise.
		if !outer.Has(p) {
			return false
		}
	}
	return true
}
