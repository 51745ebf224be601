// SPDX-License-Identifier: Apache-2.0

package event

import (
	"encoding/json"
	"math"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func drawValue(t *rapid.T, depth int) any {
	kinds := 7
	if depth > 0 {
		kinds = 9
	}
	switch rapid.IntRange(0, kinds-1).Draw(t, "kind") {
	case 0:
		return nil
	case 1:
		return rapid.Bool().Draw(t, "bool")
	case 2:
		return rapid.Int64().Draw(t, "int")
	case 3:
		return rapid.Uint64Min(1<<63).Draw(t, "uint")
	case 4:
		return rapid.Float64().Draw(t, "float")
	case 5, 6:
		return rapid.String().Draw(t, "string")
	case 7:
		out := []any{}
		for range rapid.IntRange(0, 3).Draw(t, "len") {
			out = append(out, drawValue(t, depth-1))
		}
		return out
	default:
		out := map[string]any{}
		for range rapid.IntRange(0, 3).Draw(t, "len") {
			out[rapid.String().Draw(t, "key")] = drawValue(t, depth-1)
		}
		return out
	}
}

// TestValuesRoundTrip: equal values have equal encodings, others have others, and types stay apart (K4).
func TestValuesRoundTrip(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		v, o := drawValue(t, 3), drawValue(t, 3)
		b := AppendValue(nil, v)
		got, rest, err := ReadValue(append(slices.Clip(b), 7, 7))
		if err != nil || len(rest) != 2 || !cmp.Equal(v, got) {
			t.Fatalf("%#v became %#v, %d bytes left, %v", v, got, len(rest), err)
		}
		if cmp.Equal(v, o) != (string(b) == string(AppendValue(nil, o))) {
			t.Fatalf("%#v and %#v", v, o)
		}
	})
	if string(AppendValue(nil, "1")) == string(AppendValue(nil, int64(1))) {
		t.Error("a string and a number have one encoding")
	}
}

func FuzzReadValue(f *testing.F) {
	f.Add(AppendValue(nil, map[string]any{"a": []any{int64(1), "x", nil, 1.5}}))
	f.Add([]byte{tagArray, 0xff, 0xff, 0xff, 0xff, 0x0f})
	f.Fuzz(func(t *testing.T, b []byte) {
		v, _, err := ReadValue(b)
		if err == nil {
			if again, _, err := ReadValue(AppendValue(nil, v)); err != nil || !cmp.Equal(v, again, cmp.Comparer(func(a, b float64) bool {
				return math.Float64bits(a) == math.Float64bits(b) || a == b || a != a && b != b
			})) {
				t.Errorf("%#v became %#v", v, again)
			}
		}
	})
}

func TestFieldTypes(t *testing.T) {
	t.Parallel()
	tests := []struct {
		field Field
		in    any
		want  any // nil: refused
	}{
		{UserName, "ana", "ana"}, {UserName, int64(5), "5"}, {UserName, true, nil}, {UserName, nil, nil},
		{SourcePort, "443", int64(443)}, {SourcePort, 443.0, int64(443)}, {SourcePort, 1.5, nil}, {SourcePort, "x", nil}, {SourcePort, "+1", nil},
		{SourceIP, "::ffff:10.0.0.1", "10.0.0.1"}, {SourceIP, "2001:DB8::1", "2001:db8::1"}, {SourceIP, "10.0.0", nil},
		{Tags, []any{"a", "b"}, []any{"a", "b"}}, {Tags, "a", []any{"a"}}, {Tags, []any{}, nil}, {Tags, []any{int64(1)}, nil},
	}
	for _, tt := range tests {
		e := &Event{}
		if ok := e.Set(tt.field, tt.in); ok != (tt.want != nil) || !cmp.Equal(tt.want, e.Get(tt.field)) {
			t.Errorf("%s = %#v is %#v, %t", tt.field.Name(), tt.in, e.Get(tt.field), ok)
		}
	}
	seen := make(map[string]bool)
	for i, d := range Registry() {
		f, ok := Lookup(d.Name)
		if !ok || f != Field(i) || seen[d.Name] || d.Doc == "" {
			t.Errorf("%q: slot %d, %t", d.Name, f, ok)
		}
		seen[d.Name] = true
	}
}

func TestIDsAreScoped(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		a := [3]any{rapid.String().Draw(t, "input"), rapid.String().Draw(t, "id"), rapid.Int64().Draw(t, "time")}
		b := [3]any{rapid.String().Draw(t, "input"), rapid.String().Draw(t, "id"), rapid.Int64().Draw(t, "time")}
		same := NewID(a[0].(string), a[1].(string), a[2].(int64)) == NewID(b[0].(string), b[1].(string), b[2].(int64))
		if same != (a == b) {
			t.Fatalf("%v and %v", a, b)
		}
	})
}

func TestStamp(t *testing.T) {
	t.Parallel()
	for s, want := range map[Stamp]string{0: "null", 1787307330123456789: `"2026-08-21T10:15:30.123456789Z"`, 1787307330000000000: `"2026-08-21T10:15:30Z"`} {
		b, err := json.Marshal(s)
		if err != nil || string(b) != want {
			t.Errorf("%d prints as %s, %v", s, b, err)
		}
		var back Stamp
		if err := json.Unmarshal(b, &back); err != nil || back != s {
			t.Errorf("%s is read as %d, %v", b, back, err)
		}
	}
}

// TestResetUsesMemoryAgain: what an Event of another Record took is there for the next, also if nothing is parsed.
func TestResetUsesMemoryAgain(t *testing.T) {
	t.Parallel()
	var e Event
	e.SetStrings(Tags, "a")
	old := e.Field(Tags)
	e.Reset(Record{}, 1)
	if e.Field(Tags).Exists() || e.Object().Exists() {
		t.Error("the Event has what another had")
	}
	e.SetStrings(Tags, "b")
	if got := old.At(0).Text(); got != "b" {
		t.Errorf("the memory of %q is not used again", got)
	}
}

func TestTimesStopAtTheirEnds(t *testing.T) {
	t.Parallel()
	const first, last = math.MinInt64, math.MaxInt64
	for _, tt := range []struct{ a, b, plus, minus int64 }{
		{5, 3, 8, 2}, {5, -3, 2, 8}, {5, 0, 5, 5}, {0, first, first, last},
		{last, 1, last, last - 1}, {last, -1, last - 1, last}, {first, 1, first + 1, first}, {first, -1, first, first + 1},
		{last, first, -1, last}, {first, last, -1, first}, {last, last, last, 0}, {first, first, first, 0},
	} {
		if got := Plus(tt.a, tt.b); got != tt.plus {
			t.Errorf("Plus(%d, %d) = %d, want %d", tt.a, tt.b, got, tt.plus)
		}
		if got := Minus(tt.a, tt.b); got != tt.minus {
			t.Errorf("Minus(%d, %d) = %d, want %d", tt.a, tt.b, got, tt.minus)
		}
	}
}
