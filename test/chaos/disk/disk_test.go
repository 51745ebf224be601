// SPDX-License-Identifier: Apache-2.0

package disk

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// TestLose does to files what a process does, and looks at what a power cut can leave of them.
func TestLose(t *testing.T) {
	tests := []struct {
		name string
		do   func(h *host)
		// may are the contents that name can have afterwards; "-" is no such file.
		may []string
	}{
		{"what was synced is there", func(h *host) {
			f := h.create("a", 0)
			h.write(f, "one")
			h.sync(f)
		}, []string{"one"}},
		{"what was not may be", func(h *host) {
			f := h.create("a", 0)
			h.write(f, "one")
			h.sync(f)
			h.write(f, "two")
		}, []string{"one", "onetwo", "one\x00\x00\x00"}},
		{"a file opened for it needs no sync", func(h *host) {
			f := h.create("a", unix.O_DSYNC)
			h.write(f, "one")
			h.writeAt(f, "t", 2)
		}, []string{"ont"}},
		{"a file that was never synced may be empty or not there", func(h *host) {
			h.write(h.create("a", 0), "one")
		}, []string{"-", "", "one", "\x00\x00\x00"}},
		{"what was overwritten may be what it was", func(h *host) {
			f := h.create("a", 0)
			h.write(f, "one")
			h.sync(f)
			h.writeAt(f, "two", 0)
		}, []string{"one", "two"}},
		{"what was cut off and synced is", func(h *host) {
			f := h.create("a", 0)
			h.write(f, "onetwo")
			h.sync(f)
			h.truncate(f, 3)
			h.sync(f)
		}, []string{"one"}},
		{"a name is of a synced file once another is synced", func(h *host) {
			f := h.create("b", 0)
			h.write(f, "one")
			h.sync(f)
			h.rename("b", "a")
			h.sync(h.create("c", 0))
		}, []string{"one"}},
		{"a rename that nothing followed may not be", func(h *host) {
			f := h.create("a", 0)
			h.write(f, "old")
			h.sync(f)
			g := h.create("b", 0)
			h.write(g, "new")
			h.sync(g)
			h.rename("b", "a")
		}, []string{"old", "new"}},
		{"a removed file may come back", func(h *host) {
			f := h.create("a", 0)
			h.write(f, "one")
			h.sync(f)
			h.remove("a")
		}, []string{"one", "-"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			left := make(map[string]int)
			for seed := range uint64(100) {
				h := newHost(t)
				tt.do(h)
				h.fail(rand.New(rand.NewPCG(seed, 0)))
				b, err := os.ReadFile(filepath.Join(h.dir, "a"))
				is := string(b)
				if err != nil {
					is = "-"
				}
				left[is]++
			}
			for _, may := range tt.may {
				if left[may] == 0 {
					t.Errorf("never left %q", may)
				}
				delete(left, may)
			}
			if len(left) > 0 {
				t.Errorf("left %v, which no disk does", left)
			}
		})
	}
}

// TestLostTwice has a process write on after a cut, and a second cut.
func TestLostTwice(t *testing.T) {
	h := newHost(t)
	f := h.create("a", 0)
	h.write(f, "one")
	h.sync(f)
	h.fail(rand.New(rand.NewPCG(1, 0)))
	h.watch()
	f = h.open("a", unix.O_RDWR|unix.O_APPEND)
	h.write(f, strings.Repeat("x", 3*page))
	h.sync(f)
	h.fail(rand.New(rand.NewPCG(2, 0)))
	b, err := os.ReadFile(filepath.Join(h.dir, "a"))
	if want := "one" + strings.Repeat("x", 3*page); err != nil || string(b) != want {
		t.Errorf("left %d bytes (%v), want %d", len(b), err, len(want))
	}
}

// host is a process whose system calls are watched.
type host struct {
	t           *testing.T
	dir, shadow string
	called      func(trap, a1, a2, a3, a4, r1 uintptr)
	fds         []int
}

func newHost(t *testing.T) *host {
	dir := t.TempDir()
	h := &host{t: t, dir: filepath.Join(dir, "d"), shadow: filepath.Join(dir, "d.shadow")}
	if err := Settle(h.dir, h.shadow); err != nil {
		t.Fatal(err)
	}
	h.watch()
	return h
}

func (h *host) watch() {
	h.t.Setenv(Env, fmt.Sprintf("%s:%s", h.dir, h.shadow))
	if h.called = Watch(); h.called == nil {
		h.t.Fatal("nothing is watched")
	}
}

// fail ends the process and its power.
func (h *host) fail(r *rand.Rand) {
	for _, fd := range h.fds {
		h.must(unix.Close(fd))
	}
	h.fds = nil
	h.must(Lose(h.dir, h.shadow, r))
}

func (h *host) must(err error) {
	h.t.Helper()
	if err != nil {
		h.t.Fatal(err)
	}
}

func (h *host) create(name string, flags int) int {
	return h.open(name, unix.O_RDWR|unix.O_CREAT|unix.O_TRUNC|flags)
}

func (h *host) open(name string, flags int) int {
	fd, err := unix.Open(filepath.Join(h.dir, name), flags, 0o600)
	h.must(err)
	h.fds = append(h.fds, fd)
	h.called(unix.SYS_OPENAT, 0, 0, uintptr(flags), 0, uintptr(fd))
	return fd
}

func (h *host) write(fd int, s string) {
	n, err := unix.Write(fd, []byte(s))
	h.must(err)
	h.called(unix.SYS_WRITE, uintptr(fd), 0, 0, 0, uintptr(n))
}

func (h *host) writeAt(fd int, s string, at int64) {
	n, err := unix.Pwrite(fd, []byte(s), at)
	h.must(err)
	h.called(unix.SYS_PWRITE64, uintptr(fd), 0, 0, uintptr(at), uintptr(n))
}

func (h *host) truncate(fd int, size int64) {
	h.must(unix.Ftruncate(fd, size))
	h.called(unix.SYS_FTRUNCATE, uintptr(fd), uintptr(size), 0, 0, 0)
}

func (h *host) sync(fd int) {
	h.must(unix.Fsync(fd))
	h.called(unix.SYS_FSYNC, uintptr(fd), 0, 0, 0, 0)
}

func (h *host) rename(from, to string) {
	h.must(unix.Rename(filepath.Join(h.dir, from), filepath.Join(h.dir, to)))
	h.called(unix.SYS_RENAMEAT, 0, 0, 0, 0, 0)
}

func (h *host) remove(name string) {
	h.must(unix.Unlink(filepath.Join(h.dir, name)))
	h.called(unix.SYS_UNLINKAT, 0, 0, 0, 0, 0)
}
