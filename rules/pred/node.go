// SPDX-License-Identifier: Apache-2.0

package pred

import (
	"net/netip"
	"regexp"

	"tocsin/event"
	"tocsin/event/value"
)

// Node is a condition over one event: [And], [Or], [Not], [Const], [Gated] or a *[Test].
type Node interface{ node() }

type (
	// And holds if each of its nodes does.
	And []Node
	// Or holds if one of its nodes does.
	Or []Node
	// Not holds if its node does not.
	Not struct{ X Node }
	// Const holds always or never.
	Const bool
	// Gated holds if both do. The gate says what kind of event it is about, as many other conditions do: it is looked
	// at first, and says little of how rare the condition is.
	Gated struct{ Gate, X Node }
)

func (And) node()   {}
func (Or) node()    {}
func (Not) node()   {}
func (Const) node() {}
func (Gated) node() {}
func (*Test) node() {}

// Step is one step into the source's own object: a key, or the place of an element if Key is "".
type Step struct {
	Key   string
	Index int
}

// Source is one place where a field is read: a path into the source's own object, or, without a path, a canonical
// field.
type Source struct {
	Slot event.Field
	Path []Step
}

// Field is what a test reads: the first of its sources that is there. Everywhere is no place but every string and
// number of the source's own object, at any depth (Sigma's keywords). Const is no place either but always the same.
type Field struct {
	// Name is how the rule wrote it.
	Name       string
	Sources    []Source
	Everywhere bool
	Const      value.Value
}

// Op is what a test does with its field.
type Op uint8

// The operations. Those of texts compare with each of Texts, and hold if one fits.
const (
	// Equal compares with Values, as typed values; numbers exactly, whatever their type (detection.md P1-P3).
	Equal Op = iota
	// Has holds of an array with an element that equals one of Values.
	Has
	// Less to GreaterEqual compare with the first of Values: numbers with numbers, strings with strings.
	Less
	LessEqual
	Greater
	GreaterEqual
	// Is, Contains, Prefix and Suffix compare texts.
	Is
	Contains
	Prefix
	Suffix
	// Like compares with Globs.
	Like
	// Match holds of a text in which Regexp finds something.
	Match
	// In holds of an address in one of Nets.
	In
	// Exists holds of what is there and not null; There also of null; Null of what is missing or null.
	Exists
	There
	Null
	// Calendar compares a part of a time with Values, by way of Part.
	Calendar
)

// Test is one test of one field. Other, if it is set, takes the place of the constants for Equal, Less to GreaterEqual,
// Is, Contains, Prefix and Suffix.
type Test struct {
	Field Field
	Op    Op
	// Loose is Sigma's reading: a number or truth value is its text, and of an array, at any depth, one element is
	// enough. Otherwise what is no string fits no text.
	Loose bool
	// Number reads a string as the number that it spells, as number(x) does (P2).
	Number bool
	// Fold compares texts without regard to case.
	Fold   bool
	Values []value.Value
	Texts  []string
	Globs  []Glob
	Regexp *regexp.Regexp
	Nets   []netip.Prefix
	Part   TimePart
	// List names the lookup list that Texts are of, if they are: then they are sorted.
	List string
	// Compare is how Calendar compares: Equal, or Less to GreaterEqual.
	Compare Op
	Other   *Field
	// OtherNumber is Number for Other.
	OtherNumber bool
	// Reach bounds how many bytes of a text Contains, Like and Match read, of all scalars of an array or a record
	// together; 0 is all of them. It is set by [Ration].
	Reach int
}

// TimePart is a part of a time, in UTC.
type TimePart uint8

// The parts of a time, of the Sigma modifiers of the same names. Weeks are those of ISO 8601.
const (
	Minute TimePart = iota
	Hour
	Day
	Week
	Month
	Year
)
