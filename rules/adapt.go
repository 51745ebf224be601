// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"encoding/json"

	"tocsin/event"
	"tocsin/event/value"
	"tocsin/rules/pred"
)

type adapted struct {
	e      *event.Event
	object value.Value
}

func adapt(e *event.Event) pred.Event { return adapted{e, fromAny(e.Raw)} }

func (a adapted) Get(f event.Field) value.Value { return fromAny(a.e.Get(f)) }
func (a adapted) Object() value.Value           { return a.object }

func fromAny(x any) value.Value {
	switch x := x.(type) {
	case nil:
		return value.Value{}
	case string:
		return value.OfString(x)
	case int64:
		return value.OfInt(x)
	case map[string]any:
		if x == nil {
			return value.Value{}
		}
	}
	b, err := json.Marshal(x)
	if err != nil {
		panic(err)
	}
	v, err := value.Parse(b)
	if err != nil {
		panic(err)
	}
	return v
}
