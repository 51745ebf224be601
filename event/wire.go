// SPDX-License-Identifier: Apache-2.0

package event

import "encoding/binary"

// Writer appends fields to a compact binary form. Snapshots and log entries are written with it.
type Writer struct{ B []byte }

// Uint appends an unsigned integer.
func (w *Writer) Uint(v uint64) { w.B = binary.AppendUvarint(w.B, v) }

// Int appends a signed integer.
func (w *Writer) Int(v int64) { w.B = binary.AppendVarint(w.B, v) }

// Bool appends a boolean.
func (w *Writer) Bool(v bool) {
	if v {
		w.B = append(w.B, 1)
	} else {
		w.B = append(w.B, 0)
	}
}

// String appends a string.
func (w *Writer) String(s string) {
	w.Uint(uint64(len(s)))
	w.B = append(w.B, s...)
}

// ID appends an identity.
func (w *Writer) ID(id ID) { w.B = append(w.B, id[:]...) }

// Value appends a typed value; see [AppendValue].
func (w *Writer) Value(v any) { w.B = AppendValue(w.B, v) }

// Reader reads what a Writer wrote. The first malformed field sets Err; all reads after
// that return zero values.
type Reader struct {
	B   []byte
	Err error
}

func (r *Reader) fail() {
	if r.Err == nil {
		r.Err = ErrValue
	}
	r.B = nil
}

// Uint reads an unsigned integer.
func (r *Reader) Uint() uint64 {
	v, n := binary.Uvarint(r.B)
	if n <= 0 {
		r.fail()
		return 0
	}
	r.B = r.B[n:]
	return v
}

// Len reads a length, which can never exceed the bytes that are left.
func (r *Reader) Len() int {
	n := r.Uint()
	if n > uint64(len(r.B)) {
		r.fail()
		return 0
	}
	return int(n)
}

// Int reads a signed integer.
func (r *Reader) Int() int64 {
	v, n := binary.Varint(r.B)
	if n <= 0 {
		r.fail()
		return 0
	}
	r.B = r.B[n:]
	return v
}

// Bool reads a boolean.
func (r *Reader) Bool() bool {
	if len(r.B) == 0 {
		r.fail()
		return false
	}
	v := r.B[0] != 0
	r.B = r.B[1:]
	return v
}

// String reads a string.
func (r *Reader) String() string {
	n := r.Len()
	s := string(r.B[:n])
	r.B = r.B[n:]
	return s
}

// ID reads an identity.
func (r *Reader) ID() (id ID) {
	if len(r.B) < len(id) {
		r.fail()
		return id
	}
	copy(id[:], r.B)
	r.B = r.B[len(id):]
	return id
}

// Value reads a typed value.
func (r *Reader) Value() any {
	if r.Err != nil {
		return nil
	}
	v, rest, err := ReadValue(r.B)
	if err != nil {
		r.fail()
		return nil
	}
	r.B = rest
	return v
}
