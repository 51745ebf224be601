// SPDX-License-Identifier: Apache-2.0

package disk

import (
	"fmt"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// What changes files here does so without being watched itself.

// insist has a call go well. Where no file may grow, which is another fault, it waits until one may again.
func insist(what string, call func() unix.Errno) {
	for {
		errno := call()
		if errno != unix.EFBIG {
			must(what, errno)
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func must(what string, errno unix.Errno) {
	if errno != 0 {
		panic(fmt.Sprintf("disk: %s: %v", what, errno))
	}
}

func rawOpen(name string, flags int) uintptr {
	p, err := unix.BytePtrFromString(name)
	if err != nil {
		panic(err)
	}
	fd, _, errno := unix.RawSyscall6(unix.SYS_OPENAT, cwd(), uintptr(unsafe.Pointer(p)), uintptr(flags|unix.O_CLOEXEC), 0o600, 0, 0)
	must("open "+name, errno)
	return fd
}

func rawClose(fd uintptr) {
	_, _, errno := unix.RawSyscall(unix.SYS_CLOSE, fd, 0, 0)
	must("close", errno)
}

func rawSize(fd uintptr) int64 {
	var st unix.Stat_t
	_, _, errno := unix.RawSyscall(unix.SYS_FSTAT, fd, uintptr(unsafe.Pointer(&st)), 0)
	must("stat", errno)
	return st.Size
}

func rawTruncate(fd uintptr, size int64) {
	insist("truncate", func() unix.Errno {
		_, _, errno := unix.RawSyscall(unix.SYS_FTRUNCATE, fd, uintptr(size), 0)
		return errno
	})
}

// rawCopy copies a span of a file, as far as there is one.
func rawCopy(to, from uintptr, s span, buf []byte) {
	for at := s.from; at < s.to; {
		b := buf[:min(int64(len(buf)), s.to-at)]
		n, _, errno := unix.RawSyscall6(unix.SYS_PREAD64, from, uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)), uintptr(at), 0, 0)
		must("read", errno)
		if n == 0 {
			return // it is shorter by now
		}
		rawWrite(to, b[:n], at)
		at += int64(n)
	}
}

func rawWrite(to uintptr, b []byte, at int64) {
	for len(b) > 0 {
		insist("write", func() unix.Errno {
			n, _, errno := unix.RawSyscall6(unix.SYS_PWRITE64, to, uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)), uintptr(at), 0, 0)
			if errno == 0 {
				b, at = b[n:], at+int64(n)
			}
			return errno
		})
	}
}

// rawPaths calls what takes two paths, each after a directory, and flags.
func rawPaths(trap uintptr, from, to string, flags uintptr) unix.Errno {
	a, err := unix.BytePtrFromString(from)
	if err != nil {
		panic(err)
	}
	b, err := unix.BytePtrFromString(to)
	if err != nil {
		panic(err)
	}
	_, _, errno := unix.RawSyscall6(trap, cwd(), uintptr(unsafe.Pointer(a)), cwd(), uintptr(unsafe.Pointer(b)), flags, 0)
	return errno
}

func cwd() uintptr {
	at := unix.AT_FDCWD
	return uintptr(at)
}
