// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"os"
	"time"

	"golang.org/x/term"
)

// progress tells a person how far long work is: one line on stderr, written over. Where stderr is no terminal it says nothing.
type progress struct {
	c     *cli
	what  string
	on    bool
	shown time.Time
}

func (c *cli) progress(what string) *progress {
	f, ok := c.stderr.(*os.File)
	return &progress{c: c, what: what, on: ok && term.IsTerminal(int(f.Fd())), shown: time.Now()}
}

// at says that so many are done, of a total; 0 is an unknown one. What is fast says nothing.
func (p *progress) at(done, total int) {
	if !p.on || time.Since(p.shown) < 200*time.Millisecond {
		return
	}
	p.shown = time.Now()
	if total > 0 {
		fmt.Fprintf(p.c.stderr, "\r\x1b[K%s: %d of %d", p.what, done, total)
	} else {
		fmt.Fprintf(p.c.stderr, "\r\x1b[K%s: %d", p.what, done)
	}
}

// end takes the line away.
func (p *progress) end() {
	if p.on {
		fmt.Fprint(p.c.stderr, "\r\x1b[K")
	}
}
