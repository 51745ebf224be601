// SPDX-License-Identifier: Apache-2.0

package pred_test

import (
	"net/netip"
	"regexp"
	"testing"

	"tocsin/event"
	"tocsin/event/value"
	"tocsin/rules/pred"
)

// record is an event of which only the source's own object and the message are known.
type record struct{ object value.Value }

func (r record) Object() value.Value { return r.object }

func (r record) Field(f event.Field) value.Value {
	if f == event.Message {
		return r.object.Get("message")
	}
	return value.Value{}
}

func raw(keys ...string) pred.Field {
	var path []pred.Step
	for _, k := range keys {
		path = append(path, pred.Step{Key: k})
	}
	return pred.Field{Name: keys[0], Sources: []pred.Source{{Path: path}}}
}

func TestEval(t *testing.T) {
	t.Parallel()
	object, err := value.Parse([]byte(`{"Image":"C:\\Windows\\CMD.exe","EventID":4688,"Id":"4688","ok":true,"none":null,
		"tags":["A","b",["c",7]],"n":9007199254740993,"f":2.5,"ip":"10.1.2.3","ip6":"::ffff:10.1.2.3","o":{"p":"x"},"time":"2026-03-02T23:30:00+02:00","message":"hello"}`))
	if err != nil {
		t.Fatal(err)
	}
	e := record{object}
	texts := func(op pred.Op, key string, fold bool, xs ...string) *pred.Test {
		return &pred.Test{Field: raw(key), Op: op, Fold: fold, Texts: xs}
	}
	loose := func(x *pred.Test) *pred.Test { x.Loose = true; return x }
	typed := func(op pred.Op, key string, vs ...value.Value) *pred.Test {
		return &pred.Test{Field: raw(key), Op: op, Values: vs}
	}
	glob := func(key, pattern string) *pred.Test {
		return &pred.Test{Field: raw(key), Op: pred.Like, Globs: []pred.Glob{pred.ParseGlob(pattern)}}
	}
	number := func(x *pred.Test) *pred.Test { x.Number = true; return x }
	other := func(op pred.Op, key string, o pred.Field) *pred.Test {
		return &pred.Test{Field: raw(key), Op: op, Other: &o}
	}
	calendar := func(part pred.TimePart, compare pred.Op, n int64) *pred.Test {
		return &pred.Test{Field: raw("time"), Op: pred.Calendar, Part: part, Compare: compare, Values: []value.Value{value.OfInt(n)}}
	}
	everywhere := func(xs ...string) *pred.Test {
		return &pred.Test{Field: pred.Field{Everywhere: true}, Op: pred.Contains, Loose: true, Fold: true, Texts: xs}
	}
	for name, tc := range map[string]struct {
		node pred.Node
		want bool
	}{
		"is":                          {texts(pred.Is, "Image", false, "x", `C:\Windows\CMD.exe`), true},
		"is, another case":            {texts(pred.Is, "Image", false, `c:\windows\cmd.exe`), false},
		"is, folded":                  {texts(pred.Is, "Image", true, `c:\windows\cmd.exe`), true},
		"a number is no text":         {texts(pred.Is, "EventID", false, "4688"), false},
		"a number is a text, loosely": {loose(texts(pred.Is, "EventID", false, "4688")), true},
		"true is a text, loosely":     {loose(texts(pred.Is, "ok", false, "true")), true},
		"null is no text":             {loose(texts(pred.Is, "none", false, "")), false},
		"an array has, loosely":       {loose(texts(pred.Is, "tags", true, "a")), true},
		"deep in an array, loosely":   {loose(texts(pred.Contains, "tags", false, "7")), true},
		"an array is no text":         {texts(pred.Is, "tags", true, "a"), false},
		"contains":                    {texts(pred.Contains, "Image", true, "nothing", `windows\`), true},
		"prefix":                      {texts(pred.Prefix, "Image", false, `C:\W`), true},
		"suffix":                      {texts(pred.Suffix, "Image", true, `.exe`), true},
		"suffix of another":           {texts(pred.Suffix, "Image", true, `.ex`), false},
		"missing":                     {texts(pred.Contains, "nope", true, ""), false},
		"equal":                       {typed(pred.Equal, "EventID", value.OfInt(1), value.OfFloat(4688)), true},
		"equal in a string":           {typed(pred.Equal, "Id", value.OfInt(4688)), false},
		"the number of a string":      {number(typed(pred.Equal, "Id", value.OfInt(4688))), true},
		"the last digit counts":       {typed(pred.Equal, "n", value.OfInt(9007199254740992)), false},
		"less":                        {typed(pred.Less, "f", value.OfInt(3)), true},
		"greater of types":            {typed(pred.Greater, "Image", value.OfInt(3)), false},
		"less or equal of strings":    {typed(pred.LessEqual, "Id", value.OfString("4688")), true},
		"greater or equal":            {typed(pred.GreaterEqual, "f", value.OfFloat(2.5)), true},
		"has":                         {typed(pred.Has, "tags", value.OfString("b")), true},
		"has not":                     {typed(pred.Has, "tags", value.OfString("B")), false},
		"has, of no array":            {typed(pred.Has, "Id", value.OfString("4688")), false},
		"glob":                        {glob("Image", `C:*CMD.e?e`), true},
		"glob of the whole text":      {glob("Image", `C:*CMD`), false},
		"glob with an escape":         {glob("Image", `*\\CMD.exe`), true},
		"glob with an escaped star":   {glob("Image", `*\*`), false},
		"regexp":                      {&pred.Test{Field: raw("Image"), Op: pred.Match, Regexp: regexp.MustCompile(`CMD\.`)}, true},
		"network":                     {&pred.Test{Field: raw("ip"), Op: pred.In, Nets: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}}, true},
		"network, mapped":             {&pred.Test{Field: raw("ip6"), Op: pred.In, Nets: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}}, true},
		"network of no address":       {&pred.Test{Field: raw("Id"), Op: pred.In, Nets: []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0")}}, false},
		"exists":                      {typed(pred.Exists, "Id"), true},
		"null does not exist":         {typed(pred.Exists, "none"), false},
		"null is there":               {typed(pred.There, "none"), true},
		"missing is not there":        {typed(pred.There, "nope"), false},
		"null is null":                {typed(pred.Null, "none"), true},
		"missing is null":             {typed(pred.Null, "nope"), true},
		"empty text is not null":      {typed(pred.Null, "Id"), false},
		"equals another field":        {other(pred.Equal, "Id", raw("Id")), true},
		"another field that is not":   {other(pred.Equal, "nope", raw("nope")), false},
		"contains another field":      {other(pred.Contains, "Image", raw("o", "p")), true},
		"the first source that is":    {&pred.Test{Field: pred.Field{Sources: []pred.Source{raw("nope").Sources[0], raw("o", "p").Sources[0]}}, Op: pred.Is, Texts: []string{"x"}}, true},
		"null is a source that is":    {&pred.Test{Field: pred.Field{Sources: []pred.Source{raw("none").Sources[0], raw("Id").Sources[0]}}, Op: pred.Is, Texts: []string{"4688"}}, false},
		"canonical":                   {&pred.Test{Field: pred.Field{Sources: []pred.Source{{Slot: event.Message}}}, Op: pred.Is, Texts: []string{"hello"}}, true},
		"an element":                  {&pred.Test{Field: pred.Field{Sources: []pred.Source{{Path: []pred.Step{{Key: "tags"}, {Index: 1}}}}}, Op: pred.Is, Texts: []string{"b"}}, true},
		"keyword":                     {everywhere("cmd.EXE", "windows"), true},
		"keyword in a number":         {everywhere("740993"), true},
		"keyword that is a key":       {everywhere("eventid"), false},
		"hour in UTC":                 {calendar(pred.Hour, pred.Equal, 21), true},
		"week":                        {calendar(pred.Week, pred.Equal, 10), true},
		"year before":                 {calendar(pred.Year, pred.Less, 2026), false},
		"and":                         {pred.And{pred.Const(true), typed(pred.Exists, "Id")}, true},
		"and of nothing":              {pred.And{}, true},
		"or of nothing":               {pred.Or{}, false},
		"not":                         {pred.Not{X: typed(pred.Exists, "Id")}, false},
		"or":                          {pred.Or{pred.Const(false), pred.Not{X: pred.Const(false)}}, true},
	} {
		if got := pred.Eval(tc.node, e); got != tc.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}
