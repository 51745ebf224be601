// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"tocsin/event"
	"tocsin/event/value"
	"tocsin/rules/pred"
)

// maxKeys bounds the keys that one event can have for one rule (K3).
const maxKeys = 1024

// entityFields are the parts of the key of a rule without `by`: the first present entity.
var entityFields = []string{"k8s.namespace.name", "k8s.pod.name", "host.name", "user.name", "source.ip"}

// keyPart reads one part of a key: one field for all patterns, or one for each.
type keyPart struct {
	name       string
	field      pred.Field
	perPattern []choice
}

// choice is a field, or one of several: the first whose condition holds of the event. A pattern that is several Sigma
// rules in one has a field for each.
type choice []option

type option struct {
	when  pred.Node // nil: whatever the event
	field pred.Field
}

func (c choice) read(e pred.Event) value.Value {
	for _, o := range c {
		if o.when == nil || pred.Eval(o.when, e) {
			return o.field.Read(e)
		}
	}
	return value.Value{}
}

func (k keyPart) value(e pred.Event, pattern int) value.Value {
	if k.perPattern != nil {
		return k.perPattern[pattern].read(e)
	}
	return k.field.Read(e)
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

// entityKey is the key of an event of a rule without `by`: its pod, else its host, user or source address. ok is false if
// it has none, and that matters.
func (m *matcher) entityKey(e pred.Event) (key Key, ok bool) {
	vals := make([]value.Value, len(entityFields))
	set := func(place int, v value.Value) bool {
		vals[place] = v
		return v.Exists()
	}
	switch {
	case set(1, e.Field(event.PodName)):
		vals[0] = e.Field(event.NamespaceName)
	case set(2, m.host.Read(e)):
	case set(3, e.Field(event.UserName)):
	case set(4, e.Field(event.SourceIP)):
	case !m.nobody:
		return "", false
	}
	var b []byte
	for _, v := range vals {
		b = event.Append(b, v)
	}
	return Key(b), true
}

// keys returns the keys of an event for one pattern: none if a part is missing (K1), one per element of an array (K3).
// more is true if there were more than maxKeys.
func keys(parts []keyPart, e pred.Event, pattern int) (out []Key, more bool) {
	acc := [][]byte{nil}
	for _, p := range parts {
		v := p.value(e, pattern)
		if !v.Exists() {
			return nil, false
		}
		if v.Kind() != value.Array {
			for i := range acc {
				acc[i] = event.Append(acc[i], v)
			}
			continue
		}
		var next [][]byte
		for _, prefix := range acc {
			for x := range v.Elements() {
				if !x.Exists() {
					continue
				}
				if len(next) >= maxKeys {
					more = true
					break
				}
				next = append(next, event.Append(append([]byte(nil), prefix...), x))
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
