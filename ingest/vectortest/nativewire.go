// SPDX-License-Identifier: Apache-2.0

package vectortest

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
)

// Log is one log event as Vector has it inside: its values are string, []byte, time.Time, int, int64, float64, bool, nil,
// map[string]any and []any.
type Log struct {
	Root any
	// ID is the source_event_id, which Vector has since v0.41; nil is an older Vector.
	ID []byte
}

// EncodeRequest returns a PushEventsRequest of EventWrappers (protocols.md 3.4).
func EncodeRequest(wrappers ...[]byte) []byte {
	var out []byte
	for _, w := range wrappers {
		out = Message(out, 1, w)
	}
	return out
}

// EncodeLog returns the EventWrapper of a log: an object is the fields and there is no value; any other root is the value,
// beside a filler. Its metadata has a secret, as that of some sources does.
func EncodeLog(l Log) []byte {
	var log []byte
	if m, ok := l.Root.(map[string]any); ok {
		log = encodeMap(m)
	} else {
		log = Message(Message(nil, 1, Message(protowire.AppendString(protowire.AppendTag(nil, 1, protowire.BytesType), "."), 2, EncodeValue(nil))), 2, EncodeValue(l.Root))
	}
	inner := EncodeValue(map[string]any{"vector": map[string]any{"secrets": "aside"}})
	secret := Message(Message(nil, 1, []byte("datadog_api_key")), 2, []byte("s3cr3t"))
	metadata := Message(Message(Message(nil, 1, inner), 4, []byte("demo_logs")), 6, Message(nil, 1, secret))
	if l.ID != nil {
		metadata = Message(metadata, 7, l.ID)
	}
	return Message(nil, 1, Message(Message(log, 3, inner), 4, metadata))
}

// Message appends a field that has a length.
func Message(dst []byte, num protowire.Number, b []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(dst, num, protowire.BytesType), b)
}

func encodeMap(m map[string]any) (out []byte) {
	for _, k := range slices.Sorted(maps.Keys(m)) {
		out = Message(out, 1, Message(Message(nil, 1, []byte(k)), 2, EncodeValue(m[k])))
	}
	return out
}

// EncodeValue returns a Value. What is 0 within a oneof is on the wire all the same.
func EncodeValue(v any) []byte {
	number := func(num protowire.Number, n uint64) []byte {
		return protowire.AppendVarint(protowire.AppendTag(nil, num, protowire.VarintType), n)
	}
	switch v := v.(type) {
	case string:
		return Message(nil, 1, []byte(v))
	case []byte:
		return Message(nil, 1, v)
	case time.Time:
		return Message(nil, 2, EncodeTimestamp(v.Unix(), int64(v.Nanosecond())))
	case int:
		return number(4, uint64(v))
	case int64:
		return number(4, uint64(v))
	case float64:
		return protowire.AppendFixed64(protowire.AppendTag(nil, 5, protowire.Fixed64Type), math.Float64bits(v))
	case bool:
		return number(6, protowire.EncodeBool(v))
	case map[string]any:
		return Message(nil, 7, encodeMap(v))
	case []any:
		var items []byte
		for _, x := range v {
			items = Message(items, 1, EncodeValue(x))
		}
		return Message(nil, 8, items)
	case nil:
		return number(9, 0)
	default:
		panic(fmt.Sprintf("vectortest: a %T is no value of Vector", v))
	}
}

// EncodeTimestamp returns a google.protobuf.Timestamp; what is 0 is left out.
func EncodeTimestamp(seconds, nanos int64) (out []byte) {
	for num, n := range []int64{1: seconds, 2: nanos} {
		if n != 0 {
			out = protowire.AppendVarint(protowire.AppendTag(out, protowire.Number(num), protowire.VarintType), uint64(n))
		}
	}
	return out
}
