// SPDX-License-Identifier: Apache-2.0

package audit

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
)

// apiGroup is in the apiVersion of every audit event and list.
const apiGroup = "audit.k8s.io/"

// member is one key of a JSON object with the place of its value in the text.
type member struct {
	key        string
	start, end int
}

// members returns the keys of a JSON object, in order.
func members(obj []byte) ([]member, error) {
	d := json.NewDecoder(bytes.NewReader(obj))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return nil, fmt.Errorf("no JSON object: %w", err)
	}
	var out []member
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return nil, err
		}
		name, ok := key.(string)
		if !ok {
			return nil, fmt.Errorf("%v is no key", key)
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return nil, err
		}
		end := int(d.InputOffset())
		out = append(out, member{name, end - len(value), end})
	}
	_, err := d.Token()
	return out, err
}

// Expand returns the events of an EventList, byte for byte, or the object itself if it is none.
func Expand(obj []byte) ([][]byte, error) {
	if !bytes.Contains(obj, []byte(`EventList`)) || !bytes.Contains(obj, []byte(apiGroup)) {
		return [][]byte{obj}, nil
	}
	ms, err := members(obj)
	if err != nil {
		return nil, err
	}
	kind, version := "", ""
	var items []byte
	for _, m := range ms {
		value := obj[m.start:m.end]
		switch m.key {
		case "kind":
			_ = json.Unmarshal(value, &kind) // what is no string is no EventList
		case "apiVersion":
			_ = json.Unmarshal(value, &version) // as above
		case "items":
			items = value
		}
	}
	if kind != "EventList" || !strings.HasPrefix(version, apiGroup) {
		return [][]byte{obj}, nil
	}
	var list []json.RawMessage
	if items != nil {
		if err := json.Unmarshal(items, &list); err != nil {
			return nil, fmt.Errorf("the items of an EventList: %w", err)
		}
	}
	out := make([][]byte, len(list))
	for i, raw := range list {
		out[i] = raw
	}
	return out, nil
}
