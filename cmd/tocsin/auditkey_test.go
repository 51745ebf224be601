// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestAuditKeyIsMade: what `audit key` writes is what audit.key_file reads, for nobody else to read, and takes the place of no other key.
func TestAuditKeyIsMade(t *testing.T) {
	t.Parallel()
	name := filepath.Join(t.TempDir(), "audit.key")
	out, errs, code := command("audit", "key", "--out", name)
	if code != 0 {
		t.Fatalf("%d: %s%s", code, out, errs)
	}
	var cfg Config
	cfg.Audit.KeyFile = name
	key, err := auditKey(cfg)
	if err != nil || key.Public()+"\n" != out {
		t.Errorf("%v: the key is of %s, printed is %s", err, key.Public(), out)
	}
	if info, err := os.Stat(name); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	before, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if out, errs, code := command("audit", "key", "--out", name); code != 1 || out != "" || !strings.Contains(errs, "is there already") {
		t.Errorf("again: %d: %s%s", code, out, errs)
	}
	if after, err := os.ReadFile(name); err != nil || !bytes.Equal(before, after) {
		t.Errorf("the key is another one, %v", err)
	}
	if _, errs, code := command("audit", "key"); code != 2 || !strings.Contains(errs, "--out") {
		t.Errorf("without a file: %d: %s", code, errs)
	}
}
