// SPDX-License-Identifier: Apache-2.0

package disk

import (
	"encoding/json"
	"errors"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
)

func live(shadow string, inode uint64) string {
	return shadow + "/live/" + strconv.FormatUint(inode, 10)
}

func kept(shadow string, inode uint64) string {
	return shadow + "/kept/" + strconv.FormatUint(inode, 10)
}

// namesIn returns the inode of each file below dir by its name; 0 is a directory.
func namesIn(dir string) (map[string]uint64, error) {
	names := make(map[string]uint64)
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || path == dir {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if err != nil || d.IsDir() {
			names[name] = 0
			return err
		}
		info, err := d.Info()
		if err == nil {
			names[name] = info.Sys().(*syscall.Stat_t).Ino
		}
		return err
	})
	return names, err
}

func formatNames(names map[string]uint64) []byte {
	b, err := json.Marshal(names)
	if err != nil {
		panic(err)
	}
	return b
}

// Settle makes the shadow of a directory all of which is on the disk. No process may watch it.
func Settle(dir, shadow string) error {
	if err := os.RemoveAll(shadow); err != nil {
		return err
	}
	for _, d := range []string{dir, shadow + "/live", shadow + "/kept"} {
		if err := os.MkdirAll(d, 0o700); err != nil {
			return err
		}
	}
	names, err := namesIn(dir)
	if err != nil {
		return err
	}
	for name, inode := range names {
		if inode == 0 {
			continue
		}
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			return err
		}
		if err := os.WriteFile(kept(shadow, inode), b, 0o600); err != nil {
			return err
		}
	}
	return os.WriteFile(shadow+"/names", formatNames(names), 0o600)
}

// Lose makes a directory what the disk has of it. The process that watched it must have been killed. What else the disk has
// than it must have is drawn from r: nothing, or the names of files, or any pages of what was written, or both.
func Lose(dir, shadow string, r *rand.Rand) error {
	var names map[string]uint64
	b, err := os.ReadFile(shadow + "/names")
	if err != nil {
		return err
	}
	if err := json.Unmarshal(b, &names); err != nil {
		return err
	}
	if r.IntN(2) == 0 {
		if names, err = namesIn(dir); err != nil {
			return err
		}
	}
	pages := r.IntN(2) == 0
	after := dir + ".after"
	if err := os.MkdirAll(after, 0o700); err != nil {
		return err
	}
	sorted := make([]string, 0, len(names))
	for name := range names {
		sorted = append(sorted, name)
	}
	slices.Sort(sorted)
	for _, name := range sorted {
		if names[name] == 0 {
			if err := os.MkdirAll(filepath.Join(after, name), 0o700); err != nil {
				return err
			}
			continue
		}
		b, err := content(shadow, names[name], pages, r)
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(after, name), b, 0o600); err != nil {
			return err
		}
	}
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	if err := os.Rename(after, dir); err != nil {
		return err
	}
	return Settle(dir, shadow)
}

// content returns what the disk has of a file: what was synced, and if pages is set any pages of what was written.
func content(shadow string, inode uint64, pages bool, r *rand.Rand) ([]byte, error) {
	was, err := os.ReadFile(kept(shadow, inode))
	if err != nil && !errors.Is(err, fs.ErrNotExist) { // it never was synced
		return nil, err
	}
	if !pages {
		return was, nil
	}
	is, err := os.ReadFile(live(shadow, inode))
	if errors.Is(err, fs.ErrNotExist) {
		return was, nil // nothing was ever written
	}
	if err != nil {
		return nil, err
	}
	size := len(was)
	if r.IntN(2) == 0 {
		size = len(is)
	}
	out := make([]byte, size)
	for at := 0; at < size; at += page {
		from := was
		if r.IntN(2) == 0 {
			from = is
		}
		if at < len(from) {
			copy(out[at:min(at+page, size)], from[at:])
		}
	}
	return out, nil
}
