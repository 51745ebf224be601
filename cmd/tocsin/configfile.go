// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"

	"tocsin/rules"
)

// configFile reads one file, strictly: what is not understood is a mistake with its line, never left out. No message
// shows the line itself, since the one before it may hold a secret.
type configFile struct {
	name string
	// origins is given the line of each key that the file sets.
	origins map[string]string
}

// read decodes the file over what cfg holds.
func (f *configFile) read(data []byte, cfg *Config) error {
	file, err := parser.ParseBytes(data, 0)
	if err != nil {
		return f.positioned(err)
	}
	var docs []ast.Node
	for _, d := range file.Docs {
		if d.Body != nil && d.Body.Type() != ast.CommentType {
			docs = append(docs, d.Body)
		}
	}
	if len(docs) == 0 {
		return nil // an empty file says nothing, and the defaults stand
	}
	if len(docs) > 1 {
		return f.at(docs[1], "a second document begins here: a configuration is one")
	}
	if err := f.walk(docs[0], reflect.TypeFor[Config](), ""); err != nil {
		return err
	}
	duration := yaml.CustomUnmarshaler(func(d *time.Duration, b []byte) error {
		v, err := rules.ParseDuration(strings.Trim(strings.TrimSpace(string(b)), `"'`))
		*d = v
		return err
	})
	if err := yaml.NodeToValue(docs[0], cfg, yaml.Strict(), duration); err != nil {
		return f.positioned(err)
	}
	return nil
}

// walk checks a node against the type that it will be decoded into. The decoder would find most mistakes too, but not
// say what was meant, and it takes a number for a string with another spelling (0123 as 83).
func (f *configFile) walk(node ast.Node, t reflect.Type, path string) error {
	for {
		if a, ok := node.(*ast.AnchorNode); ok {
			node = a.Value
			continue
		}
		break
	}
	switch node.(type) {
	case *ast.AliasNode, *ast.TagNode:
		return nil // the decoder resolves them
	}
	what := path
	if what == "" {
		what = "the configuration"
	}
	if t.Kind() == reflect.Struct {
		m, ok := node.(ast.MapNode)
		if !ok {
			if _, null := node.(*ast.NullNode); null {
				return nil // all keys of the section are commented out
			}
			return f.at(node, "%s is a section of keys: %s", what, strings.Join(keysOf(t), ", "))
		}
		return f.walkSection(m, t, path)
	}
	f.origins[path] = f.name + ":" + strconv.Itoa(lineOf(node))
	if _, null := node.(*ast.NullNode); null {
		return f.at(node, "%s has no value", what)
	}
	switch {
	case t == reflect.TypeFor[time.Duration]():
		if _, err := rules.ParseDuration(node.GetToken().Value); err != nil {
			return f.at(node, "%s: %w", what, err)
		}
	case t.Kind() == reflect.Slice:
		list, ok := node.(*ast.SequenceNode)
		if !ok {
			return f.at(node, "%s is a list: [a, b]", what)
		}
		for i, v := range list.Values {
			if err := f.walk(v, t.Elem(), fmt.Sprintf("%s[%d]", path, i)); err != nil {
				return err
			}
		}
	case t.Kind() == reflect.Bool:
		if _, ok := node.(*ast.BoolNode); !ok {
			return f.at(node, "%s is true or false", what)
		}
	case t.Kind() == reflect.Int || t.Kind() == reflect.Int64:
		if _, ok := node.(*ast.IntegerNode); !ok {
			return f.at(node, "%s is a whole number", what)
		}
	case t.Kind() == reflect.String:
		switch v := node.(type) {
		case *ast.StringNode, *ast.LiteralNode:
		case ast.ScalarNode:
			if fmt.Sprint(v.GetValue()) != node.GetToken().Value {
				return f.at(node, "%s is text: put it in quotes", what)
			}
		default:
			return f.at(node, "%s is text", what)
		}
	}
	return nil
}

func (f *configFile) walkSection(m ast.MapNode, t reflect.Type, path string) error {
	fields := make(map[string]reflect.Type)
	for field := range t.Fields() {
		fields[field.Tag.Get("yaml")] = field.Type
	}
	for it := m.MapRange(); it.Next(); {
		if it.Key().IsMergeKey() {
			continue
		}
		key := it.Key().GetToken().Value
		inner := strings.TrimPrefix(path+"."+key, ".")
		typ, ok := fields[key]
		if !ok {
			if n := rules.Nearest(key, keysOf(t)); n != "" {
				return f.at(it.Key(), "there is no key %s: did you mean %q?", inner, n)
			}
			return f.at(it.Key(), "there is no key %s: here are %s", inner, strings.Join(keysOf(t), ", "))
		}
		if err := f.walk(it.Value(), typ, inner); err != nil {
			return err
		}
	}
	return nil
}

// keysOf lists the keys of a section, in the order of the type.
func keysOf(t reflect.Type) []string {
	out := make([]string, t.NumField())
	for i := range out {
		out[i] = t.Field(i).Tag.Get("yaml")
	}
	return out
}

func lineOf(n ast.Node) int {
	if t := n.GetToken(); t != nil && t.Position != nil {
		return t.Position.Line
	}
	return 1
}

func (f *configFile) at(n ast.Node, format string, args ...any) error {
	return fmt.Errorf("%s:%d: %w", f.name, lineOf(n), fmt.Errorf(format, args...))
}

// positioned says where the YAML library found a mistake, without the text there.
func (f *configFile) positioned(err error) error {
	var at yaml.Error
	if errors.As(err, &at) && at.GetToken() != nil && at.GetToken().Position != nil {
		return fmt.Errorf("%s:%d: %s", f.name, at.GetToken().Position.Line, at.GetMessage())
	}
	return fmt.Errorf("%s: %w", f.name, err)
}
