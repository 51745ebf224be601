// SPDX-License-Identifier: Apache-2.0

package event

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"
)

// Panic is a mistake of ours, or of a library below, that reading or matching a Record ran into. It is an error, so that it costs that Record and
// not the process: the log gives the Record again, and whoever read it next would end as well.
type Panic struct {
	// Value is what was said, At the function and line that it came from; equal Records end alike.
	Value, At string
	Stack     []byte
}

func (p *Panic) Error() string { return fmt.Sprintf("panic: %s (in %s)", p.Value, p.At) }

// Guard calls fn and returns the panic that ended it, nil if none did. What fn was about to change may be half changed then: throw it away.
func Guard(fn func()) (p *Panic) {
	defer func() {
		if v := recover(); v != nil {
			p = &Panic{fmt.Sprint(v), panickedAt(), debug.Stack()}
		}
	}()
	fn()
	return nil
}

// panickedAt returns where the panic began that is being recovered from: below the frames of the runtime that follow it.
func panickedAt() string {
	var pcs [64]uintptr
	frames := runtime.CallersFrames(pcs[:runtime.Callers(1, pcs[:])])
	for begun := false; ; {
		f, more := frames.Next()
		if strings.HasPrefix(f.Function, "runtime.") {
			begun = true
		} else if begun {
			return fmt.Sprintf("%s:%d", f.Function, f.Line)
		}
		if !more {
			return "?"
		}
	}
}
