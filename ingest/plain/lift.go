// SPDX-License-Identifier: Apache-2.0

package plain

import (
	"strings"
	"unsafe"

	"tocsin/event"
	"tocsin/event/value"
)

// names are the canonical names that a record may use, by what is left of them below an object: a whole name is a
// field, the first part of one leads to another object.
type names struct {
	fields map[string]event.Field
	below  map[string]*names
}

var canonical = func() *names {
	root := &names{}
	for i, d := range event.Registry() {
		if !d.Derived && d.Name != "@timestamp" {
			root.add(d.Name, event.Field(i))
		}
	}
	return root
}()

func (n *names) add(name string, f event.Field) {
	if n.fields == nil {
		n.fields = make(map[string]event.Field)
	}
	n.fields[name] = f
	first, rest, ok := strings.Cut(name, ".")
	if !ok {
		return
	}
	if n.below == nil {
		n.below = make(map[string]*names)
	}
	if n.below[first] == nil {
		n.below[first] = &names{}
	}
	n.below[first].add(rest, f)
}

// Lift sets the canonical fields that an object names, flat or nested, as far as their values have the right type.
// Of a name that stands both ways the flat one counts, also if its value does not fit.
func Lift(e *event.Event, object value.Value) { canonical.lift(e, object, 0) }

// lift leaves out the fields of which done has the bit: they stood flat above.
func (n *names) lift(e *event.Event, object value.Value, done uint64) {
	nested := false
	for k, v := range object.Members() {
		if f, ok := n.fields[k]; ok && done&(1<<f) == 0 {
			if v.Exists() {
				e.Put(f, v)
			}
			done |= 1 << f
		}
		nested = nested || v.Kind() == value.Object
	}
	if !nested || n.below == nil {
		return
	}
	for k, v := range object.Members() {
		if v.Kind() != value.Object {
			continue
		}
		if below := n.below[k]; below != nil {
			below.lift(e, v, done)
		}
	}
}

// 64 bits have room for all fields.
var _ = [64 - event.NumFields]struct{}{}

func view(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }
