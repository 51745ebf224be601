// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// programs are what the processes run.
type programs struct {
	dir, tocsin, nats string
	hooked            bool // their clocks can be set wrong, their power can fail
}

// build builds tocsin, and this program as a NATS server.
func build(hooked bool) (programs, error) {
	dir, err := os.MkdirTemp("", "tocsin-chaos-bin")
	if err != nil {
		return programs{}, err
	}
	p := programs{dir, filepath.Join(dir, "tocsin"), filepath.Join(dir, "nats"), hooked}
	args := []string{"build"}
	if hooked {
		name, err := overlay(dir, "cmd/tocsin", "test/chaos")
		if err != nil {
			return p, err
		}
		args = append(args, "-overlay", name)
	}
	for name, of := range map[string]string{p.tocsin: "tocsin/cmd/tocsin", p.nats: "tocsin/test/chaos"} {
		if out, err := exec.Command("go", append(args, "-o", name, of)...).CombinedOutput(); err != nil {
			return p, fmt.Errorf("build %s: %w\n%s", of, err, out)
		}
	}
	return p, nil
}
