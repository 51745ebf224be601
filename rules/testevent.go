// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"tocsin/event"
)

// ReadTestEvent reads an event as a test of a rule has it, from JSON instead of YAML.
func ReadTestEvent(data []byte) (TestEvent, error) {
	te := TestEvent{Fields: make(map[string]any)}
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	var object map[string]any
	if err := d.Decode(&object); err != nil || object == nil {
		return te, fmt.Errorf("a test event is an object of JSON")
	}
	if _, err := d.Token(); err != io.EOF {
		return te, fmt.Errorf("something follows the object")
	}
	var err error
	if te.At, err = spanOf(object, "at", 0); err != nil {
		return te, err
	}
	if te.Arrives, err = spanOf(object, "arrives", te.At); err != nil {
		return te, err
	}
	for _, key := range slices.Sorted(maps.Keys(object)) {
		record, is := object[key].(map[string]any)
		if !is || !sourceName.MatchString(key) {
			if err := te.put(key, plain(object[key])); err != nil {
				return te, err
			}
			continue
		}
		if te.Source != "" {
			return te, fmt.Errorf("a test event is of one source; this one has %s and %s", te.Source, key)
		}
		te.Source = key
		if te.Record, err = json.Marshal(record); err != nil {
			return te, err
		}
	}
	return te, te.whole()
}

// spanOf takes a time span out of an object.
func spanOf(object map[string]any, key string, without time.Duration) (time.Duration, error) {
	v, there := object[key]
	if !there {
		return without, nil
	}
	delete(object, key)
	d, err := ParseDuration(fmt.Sprint(v))
	if err != nil {
		return 0, fmt.Errorf("%s: %w", key, err)
	}
	return d, nil
}

// put gives an event one canonical field.
func (te *TestEvent) put(key string, v any) error {
	f, ok := event.Lookup(key)
	if !ok {
		var names []string
		for _, def := range event.Registry() {
			names = append(names, def.Name)
		}
		return fmt.Errorf("unknown field %q%s; a record in its source's own form stands under the source's name", key, meant(key, names))
	}
	if !new(event.Event).Set(f, v) {
		return fmt.Errorf("%s is of type %s, not %v", key, f.Def().Kind, v)
	}
	te.Fields[key] = v
	return nil
}

// whole reports whether a record stands alone.
func (te *TestEvent) whole() error {
	if te.Source == "" {
		return nil
	}
	names := slices.Sorted(maps.Keys(te.Fields))
	te.Fields = nil
	if len(names) > 0 {
		return fmt.Errorf("a record of %s has its own fields; %v cannot stand beside it", te.Source, names)
	}
	return nil
}

// plain makes the numbers of JSON those of YAML.
func plain(v any) any {
	switch v := v.(type) {
	case json.Number:
		if n, err := v.Int64(); err == nil {
			return n
		}
		if f, err := v.Float64(); err == nil {
			return f
		}
		return v.String()
	case []any:
		for i := range v {
			v[i] = plain(v[i])
		}
	case map[string]any:
		for key := range v {
			v[key] = plain(v[key])
		}
	}
	return v
}
