// SPDX-License-Identifier: Apache-2.0

package disk

import (
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

// watch is what a process knows of its files.
type watch struct {
	dir, shadow string
	renamed     atomic.Bool // names have changed since they were kept

	mu    sync.Mutex
	files map[uint64]*file // by inode
}

// file is what was written since the last sync.
type file struct {
	whole  bool // all of it may have been
	spans  []span
	shrunk int64 // the least size it has had
}

type span struct{ from, to int64 }

// Watch starts to watch the directory that [Env] names, if it names one. What it returns is to be called after each system
// call that went well, with its number, its first four arguments and its result.
func Watch() func(trap, a1, a2, a3, a4, r1 uintptr) {
	dir, shadow, ok := strings.Cut(os.Getenv(Env), ":")
	if !ok {
		return nil
	}
	w := &watch{dir: dir, shadow: shadow, files: make(map[uint64]*file)}
	names, err := namesIn(dir)
	if err != nil {
		panic(err)
	}
	for name, inode := range names {
		if inode != 0 {
			w.files[inode] = &file{whole: true} // its writer was killed: the kernel still has what was written
			w.hold(dir+"/"+name, inode)
		}
	}
	w.renamed.Store(true)
	return w.called
}

// called notes what a system call did. It changes files with raw system calls only, which call nobody.
func (w *watch) called(trap, a1, a2, a3, a4, r1 uintptr) {
	switch trap {
	case unix.SYS_WRITE:
		w.wrote(a1, -1, int64(r1))
	case unix.SYS_PWRITE64:
		w.wrote(a1, int64(a4), int64(r1))
	case unix.SYS_WRITEV, unix.SYS_PWRITEV, unix.SYS_PWRITEV2, unix.SYS_FALLOCATE:
		w.changed(a1, func(f *file, _ *unix.Stat_t) { f.whole = true })
	case unix.SYS_COPY_FILE_RANGE:
		w.changed(a3, func(f *file, _ *unix.Stat_t) { f.whole = true })
	case unix.SYS_SENDFILE:
		w.changed(a1, func(f *file, _ *unix.Stat_t) { f.whole = true })
	case unix.SYS_FTRUNCATE:
		w.changed(a1, func(f *file, _ *unix.Stat_t) { f.shrunk = min(f.shrunk, int64(a2)) })
	case unix.SYS_FSYNC, unix.SYS_FDATASYNC:
		w.synced(a1)
	case unix.SYS_OPENAT:
		if a3&unix.O_TRUNC != 0 {
			w.changed(r1, func(f *file, _ *unix.Stat_t) { f.shrunk = 0 })
		}
		if a3&unix.O_CREAT != 0 {
			w.renamed.Store(true)
		}
	case unix.SYS_RENAME, unix.SYS_RENAMEAT, unix.SYS_RENAMEAT2, unix.SYS_UNLINK, unix.SYS_UNLINKAT, unix.SYS_RMDIR,
		unix.SYS_MKDIR, unix.SYS_MKDIRAT, unix.SYS_LINKAT:
		w.renamed.Store(true)
	}
}

// wrote notes n bytes that were written at an offset; at -1, before where the file is at now.
func (w *watch) wrote(fd uintptr, at, n int64) {
	w.changed(fd, func(f *file, _ *unix.Stat_t) {
		if at < 0 {
			end, _, errno := unix.RawSyscall(unix.SYS_LSEEK, fd, 0, unix.SEEK_CUR)
			must("lseek", errno)
			at = int64(end) - n
		}
		if last := len(f.spans) - 1; last >= 0 && f.spans[last].to == at {
			f.spans[last].to += n
		} else if f.spans = append(f.spans, span{at, at + n}); last > 1000 {
			f.whole = true
		}
	})
}

// changed lets do note what was done to a file of the directory, and keeps it if the file was opened for that.
func (w *watch) changed(fd uintptr, do func(*file, *unix.Stat_t)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	f, st := w.file(fd)
	if f == nil {
		return
	}
	do(f, st)
	flags, _, errno := unix.RawSyscall(unix.SYS_FCNTL, fd, unix.F_GETFL, 0)
	must("fcntl", errno)
	if flags&(unix.O_SYNC|unix.O_DSYNC) != 0 {
		w.keep(fd, f, st.Ino)
	}
}

// synced keeps a file, and all names.
func (w *watch) synced(fd uintptr) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if f, st := w.file(fd); f != nil {
		w.keep(fd, f, st.Ino)
	} else if w.renamed.Load() {
		w.keepNames() // a directory
	}
}

// file returns the regular file of the directory that fd is of; nil if it is none, or has no name any more.
func (w *watch) file(fd uintptr) (*file, *unix.Stat_t) {
	var st unix.Stat_t
	_, _, errno := unix.RawSyscall(unix.SYS_FSTAT, fd, uintptr(unsafe.Pointer(&st)), 0)
	if errno != 0 || st.Mode&unix.S_IFMT != unix.S_IFREG || st.Nlink == 0 {
		return nil, nil // it may be closed by now
	}
	if f := w.files[st.Ino]; f != nil {
		return f, &st
	}
	proc := "/proc/self/fd/" + strconv.FormatUint(uint64(fd), 10)
	name, err := os.Readlink(proc)
	if err != nil || !strings.HasPrefix(name, w.dir+"/") {
		return nil, nil
	}
	f := &file{}
	w.files[st.Ino] = f
	w.hold(proc, st.Ino)
	return f, &st
}

// hold keeps the inode of a file from being another's.
func (w *watch) hold(name string, inode uint64) {
	errno := rawPaths(unix.SYS_LINKAT, name, live(w.shadow, inode), unix.AT_SYMLINK_FOLLOW)
	if errno != unix.EEXIST && errno != unix.ENOENT { // it was removed just now
		must("link", errno)
	}
}

// keep copies to the shadow what was written to a file, as the disk has it.
func (w *watch) keep(fd uintptr, f *file, inode uint64) {
	from := rawOpen("/proc/self/fd/"+strconv.FormatUint(uint64(fd), 10), unix.O_RDONLY)
	to := rawOpen(kept(w.shadow, inode), unix.O_RDWR|unix.O_CREAT)
	defer rawClose(from)
	defer rawClose(to)
	had, size := rawSize(to), rawSize(from)
	if !f.whole && f.shrunk < had {
		rawTruncate(to, f.shrunk)
	}
	if f.whole {
		f.spans = []span{{0, size}}
	}
	buf := make([]byte, 64<<10)
	for _, s := range f.spans {
		rawCopy(to, from, s, buf)
	}
	rawTruncate(to, size)
	*f = file{spans: f.spans[:0], shrunk: size}
	if w.renamed.Load() {
		w.keepNames()
	}
}

// keepNames writes down the names that the files have now.
func (w *watch) keepNames() {
	w.renamed.Store(false)
	names, err := namesIn(w.dir)
	if err != nil {
		w.renamed.Store(true) // one was removed meanwhile, so names are kept again at the next sync
		return
	}
	to := rawOpen(w.shadow+"/names.tmp", unix.O_RDWR|unix.O_CREAT|unix.O_TRUNC)
	rawWrite(to, formatNames(names), 0)
	rawClose(to)
	must("rename", rawPaths(unix.SYS_RENAMEAT2, w.shadow+"/names.tmp", w.shadow+"/names", 0))
}
