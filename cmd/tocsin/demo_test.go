// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"context"
	"io"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestDemo: what `make run` says is for people: the attack, its alerts a line each, its incidents, and where to go on.
func TestDemo(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	heard, out := io.Pipe()
	c := &cli{stdin: strings.NewReader(""), stdout: out, stderr: io.Discard}
	ended := make(chan error, 1)
	go func() {
		err := c.serve(ctx, localConfig("sqlite:"+filepath.Join(data, "tocsin.db"), data), true)
		_ = out.CloseWithError(io.EOF) // a pipe's never fails
		ended <- err
	}()
	var said strings.Builder
	alerts := 0
	for lines := bufio.NewScanner(heard); lines.Scan(); {
		said.WriteString(lines.Text() + "\n")
		if strings.HasPrefix(lines.Text(), "  alert ") {
			alerts++
		}
		if strings.Contains(said.String(), "Ctrl-C stops.") && alerts == 3 {
			cancel()
			break
		}
	}
	go func() { _, _ = io.Copy(io.Discard, heard) }() // until the writer is closed
	if err := <-ended; err != nil {
		t.Error(err)
	}
	for _, want := range []string{
		`(?m)^  alert      opened: Intruder in shop/web-5d9c7b6f4-x2x8q, critical$`,
		`(?m)^  alert      opened: Password of ana may have been guessed from 203.0.113.9, high$`,
		`(?m)^  critical  Intruder in shop/web-5d9c7b6f4-x2x8q  \(3 events, `,
		`(?m)^Look at them:   http://127\.0\.0\.1:\d+/#token=tocsin_`,
	} {
		if !regexp.MustCompile(want).MatchString(said.String()) {
			t.Errorf("it does not say %s:\n%s", want, &said)
		}
	}
	if strings.Contains(said.String(), "specversion") {
		t.Errorf("it prints what is for machines:\n%s", &said)
	}
}
