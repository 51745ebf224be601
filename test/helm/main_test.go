// SPDX-License-Identifier: Apache-2.0

package helm_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
)

const (
	root = "../.."
	dir  = root + "/deploy/helm/tocsin"
)

// binary is tocsin, built once, by the command of the Dockerfile.
var binary string

// image is the program's version in it.
const image = "1.2.3"

func TestMain(m *testing.M) {
	tmp, err := os.MkdirTemp("", "tocsin-helm")
	if err == nil {
		binary = filepath.Join(tmp, "tocsin")
		err = build(binary)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	_ = os.RemoveAll(tmp) // what is left of it is in a temporary directory
	os.Exit(code)
}

func build(program string) error {
	text, err := os.ReadFile(filepath.Join(root, "Dockerfile"))
	if err != nil {
		return err
	}
	line := regexp.MustCompile(`RUN (CGO_ENABLED=.*) -o /out/tocsin (\S+)`).FindSubmatch(text)
	if line == nil {
		return errors.New("the Dockerfile has no go build")
	}
	cmd := exec.Command("sh", "-c", fmt.Sprintf(`%s -o "$PROGRAM" %s`, line[1], line[2]))
	cmd.Dir, cmd.Stderr = root, os.Stderr
	cmd.Env = append(os.Environ(), "PROGRAM="+program, "VERSION="+image, "TARGETOS=", "TARGETARCH=")
	return cmd.Run()
}

func read(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(root, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
