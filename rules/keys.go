// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"tocsin/event"
)

// maxKeys bounds the keys that one event can have for one rule (K3).
const maxKeys = 1024

// entityFields are the parts of the key of a rule without `by`: the first present entity.
var entityFields = []string{"k8s.namespace.name", "k8s.pod.name", "host.name", "user.name", "source.ip"}

// keyPart reads one part of a key: one field for all patterns, or one for each.
type keyPart struct {
	name       string
	get        value
	perPattern []value
}

func (k keyPart) value(e *event.Event, pattern int) any {
	if k.perPattern != nil {
		return k.perPattern[pattern](e)
	}
	return k.get(e)
}

// differs reports whether keys depend on the pattern.
func differs(parts []keyPart) bool {
	for _, p := range parts {
		if p.perPattern != nil {
			return true
		}
	}
	return false
}

// entityKey is the key of an event of a rule without `by`; "" if it has no entity.
func entityKey(e *event.Event) (Key, bool) {
	vals := make([]any, len(entityFields))
	switch {
	case e.Get(event.PodName) != nil:
		vals[0], vals[1] = e.Get(event.NamespaceName), e.Get(event.PodName)
	case e.Get(event.HostName) != nil:
		vals[2] = e.Get(event.HostName)
	case e.Get(event.UserName) != nil:
		vals[3] = e.Get(event.UserName)
	case e.Get(event.SourceIP) != nil:
		vals[4] = e.Get(event.SourceIP)
	default:
		return "", false
	}
	return MakeKey(vals...), true
}

// keys returns the keys of an event for one pattern: none if a part is missing (K1), one per element of an array (K3).
// more is true if there were more than maxKeys.
func keys(parts []keyPart, e *event.Event, pattern int) (out []Key, more bool) {
	acc := [][]byte{nil}
	for _, p := range parts {
		v := p.value(e, pattern)
		if v == nil {
			return nil, false
		}
		xs, ok := v.([]any)
		if !ok {
			for i := range acc {
				acc[i] = event.AppendValue(acc[i], v)
			}
			continue
		}
		var next [][]byte
		for _, prefix := range acc {
			for _, x := range xs {
				if x == nil {
					continue
				}
				if len(next) >= maxKeys {
					more = true
					break
				}
				next = append(next, event.AppendValue(append([]byte(nil), prefix...), x))
			}
		}
		acc = next
	}
	seen := make(map[Key]bool, len(acc))
	for _, b := range acc {
		if k := Key(b); !seen[k] {
			seen[k] = true
			out = append(out, k)
		}
	}
	return out, more
}
