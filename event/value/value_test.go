// SPDX-License-Identifier: Apache-2.0

package value_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tocsin/event/value"
)

// standard decodes with encoding/json and makes of numbers what they shall be.
func standard(b []byte) (any, error) {
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return nil, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("more")
	}
	return exact(v), nil
}

func exact(v any) any {
	switch v := v.(type) {
	case json.Number:
		if n, err := strconv.ParseInt(string(v), 10, 64); err == nil {
			return n
		}
		if n, err := strconv.ParseUint(string(v), 10, 64); err == nil {
			return n
		}
		if f, err := strconv.ParseFloat(string(v), 64); err == nil {
			return f
		}
		return string(v)
	case map[string]any:
		for k, x := range v {
			v[k] = exact(x)
		}
	case []any:
		for i, x := range v {
			v[i] = exact(x)
		}
	}
	return v
}

var texts = []string{
	`{"a":[1,2.5,"x\"]",null,true,false],"b":{"c":{}},"a":-0}`, `[[[[`, `{"a":1}{"b":2}`, `1e999`, "\xff", `"\ud83d\ude00 \ud83d x\u0000"`,
	`18446744073709551615`, `18446744073709551616`, `-9223372036854775808`, `-9223372036854775809`, `01`, `-`, `1.`, `1.e1`, `.5`, `1e`, `1E+5`,
	`"` + "\t" + `"`, `"é` + "\xc3" + `\n"`, `"a\x"`, `"\u12"`, `{"a"}`, `{"a":}`, `{,}`, `[1,]`, `[,1]`, `nul`, `truex`, ` [ ] `, `{"":""}`, ``, ` `, `{"a":1,}`,
	strings.Repeat("[", 64) + strings.Repeat("]", 64), strings.Repeat("[", 65) + strings.Repeat("]", 65),
	`{"k":1,` + strings.Repeat(`"k":"\n",`, 300) + `"k":2}`, many(300), `"` + strings.Repeat(`\u00e9`, 5000) + `"`,
}

// many is an object of n keys, each twice.
func many(n int) string {
	var b strings.Builder
	b.WriteString("{")
	for i := range 2 * n {
		fmt.Fprintf(&b, `"k%d":%d,`, i%n, i)
	}
	return b.String() + `"last":{"k1":0}}`
}

func check(t *testing.T, d *value.Doc, b []byte) {
	t.Helper()
	got, err := d.Parse(b)
	if errors.Is(err, value.ErrDepth) {
		return
	}
	want, wrong := standard(b)
	if (err == nil) != (wrong == nil) {
		t.Fatalf("%q: %v, and encoding/json says %v", b, err, wrong)
	}
	if err == nil && !reflect.DeepEqual(want, got.Any()) {
		t.Fatalf("%q:\n%#v, want\n%#v", b, got.Any(), want)
	}
}

func TestParseIsThatOfEncodingJSON(t *testing.T) {
	t.Parallel()
	var d value.Doc
	for range 2 { // memory that is used again says nothing of what was there
		for _, s := range texts {
			check(t, &d, []byte(s))
		}
	}
}

func TestDepth(t *testing.T) {
	t.Parallel()
	for depth, want := range map[int]error{value.MaxDepth: nil, value.MaxDepth + 1: value.ErrDepth} {
		if _, err := value.Parse([]byte(strings.Repeat(`{"a":`, depth) + "1" + strings.Repeat("}", depth))); !errors.Is(err, want) {
			t.Errorf("depth %d: %v", depth, err)
		}
	}
}

func TestErrorsSayWhere(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		`{"a":1 "b":2}`: "byte 7: here is neither , nor }",
		`[1,]`:          "byte 3: a value cannot begin with ']'",
		`{"a":"x`:       "byte 7: a string does not end",
		`{"a":01}`:      "byte 7: a number needs a digit here, and no leading 0",
		`{} x`:          "byte 3: more after the JSON value",
	} {
		if _, err := value.Parse([]byte(in)); err == nil || err.Error() != want {
			t.Errorf("%s: %v, want %s", in, err, want)
		}
	}
}

func TestReading(t *testing.T) {
	t.Parallel()
	v, err := value.Parse([]byte(`{"s":"x","n":5,"big":18446744073709551615,"f":2.5,"b":true,"z":null,"a":[10,"y",[]],"o":{"p":{"q":1}}}`))
	if err != nil {
		t.Fatal(err)
	}
	if n, ok := v.Path("o", "p", "q").Int64(); n != 1 || !ok {
		t.Errorf("o.p.q is %d, %t", n, ok)
	}
	if s, ok := v.Get("a").At(1).Str(); s != "y" || !ok {
		t.Errorf("a[1] is %q, %t", s, ok)
	}
	for _, missing := range []value.Value{v.Get("none"), v.Get("s").Get("x"), v.Get("a").At(3), v.Get("a").At(-1), v.Get("o").At(0), v.Path("s", "t")} {
		if missing.Kind() != value.Missing || missing.Any() != nil || missing.Text() != "" {
			t.Errorf("what is missing is %v", missing.Any())
		}
	}
	if v.Get("z").Kind() != value.Null || v.Get("z").Exists() || !v.Get("b").Exists() {
		t.Error("null is there, or true is not")
	}
	if v.Len() != 8 || v.Get("a").Len() != 3 || v.Get("s").Len() != 0 {
		t.Errorf("lengths are %d, %d, %d", v.Len(), v.Get("a").Len(), v.Get("s").Len())
	}
	var texts []string
	for _, x := range v.Members() {
		texts = append(texts, x.Text())
	}
	if diff := cmp.Diff([]string{"x", "5", "18446744073709551615", "2.5", "true", "", "", ""}, texts); diff != "" {
		t.Error(diff)
	}
}

func TestScalars(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		v    value.Value
		want any
	}{
		{value.OfString("x"), "x"},
		{value.OfInt(-3), int64(-3)},
		{value.OfUint(7), int64(7)},
		{value.OfUint(math.MaxUint64), uint64(math.MaxUint64)},
		{value.OfFloat(0.5), 0.5},
		{value.OfBool(true), true},
		{value.OfBool(false), false},
		{value.OfStrings("a", "b"), []any{"a", "b"}},
		{value.OfStrings(), []any{}},
		{value.OfMember("k", "s"), map[string]any{"k": "s"}},
		{value.Value{}, nil},
	} {
		if diff := cmp.Diff(tc.want, tc.v.Any()); diff != "" {
			t.Error(diff)
		}
	}
}

var sample = []byte(`{"@timestamp":"2026-03-02T00:00:00.123456789Z","Channel":"Microsoft-Windows-Sysmon/Operational","EventID":1,` +
	`"CommandLine":"C:\\Windows\\System32\\cmd.exe /c \"whoami\"","tags":["a","b"],"nested":{"ip":"203.0.113.9","port":443,"ratio":0.25},"ok":true,"none":null}`)

// TestParseCostsNoMemory: what was needed once is used again.
func TestParseCostsNoMemory(t *testing.T) {
	var d value.Doc
	if n := testing.AllocsPerRun(100, func() {
		if _, err := d.Parse(sample); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range texts {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var d value.Doc
		check(t, &d, b)
		check(t, &d, b)
	})
}

func BenchmarkParse(b *testing.B) {
	var d value.Doc
	b.SetBytes(int64(len(sample)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := d.Parse(sample); err != nil {
			b.Fatal(err)
		}
	}
}

// FuzzValid: what is one text is said as encoding/json says it.
func FuzzValid(f *testing.F) {
	for _, s := range texts {
		f.Add([]byte(s))
	}
	for _, s := range []string{
		"", " ", "{}", "[ ]", "{ } ", "[1,]", "{\"a\":1,}", "[,1]", "[1 2]", "{\"a\" 1}", "{a:1}", "01", "-", "-0.5e+7", "1.", "1e", ".5", "tru", "nul l", "\"a", "\"\\",
		"\"\\u00e\"", "\"\\u00Ef\\n\\/\"", "\"\\x\"", "\"12345678\t\"", "\"1234567\x00\"", "\"\xff\xfe1234567890\x7f\"", "[[]]]", "{\"a\":{\"b\":[{},[],1,null]}}", "\ufeff{}",
	} {
		f.Add([]byte(s))
	}
	for _, n := range []int{9999, 10000, 10001} {
		f.Add(bytes.Repeat([]byte("["), n))
		f.Add(append(bytes.Repeat([]byte("["), n), bytes.Repeat([]byte("]"), n)...))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if got, want := value.Valid(b), json.Valid(b); got != want {
			t.Errorf("%q: %t, want %t", b, got, want)
		}
	})
}

func BenchmarkValid(b *testing.B) {
	for name, valid := range map[string]func([]byte) bool{"value": value.Valid, "json": json.Valid} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(sample)))
			b.ReportAllocs()
			for b.Loop() {
				if !valid(sample) {
					b.Fatal("it is one")
				}
			}
		})
	}
}
