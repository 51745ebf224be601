// SPDX-License-Identifier: Apache-2.0

package proof

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
)

// File is one file of a bundle.
type File struct {
	Name string
	Data []byte
}

const (
	// origin is the first line of a manifest: what is signed as one is nothing else.
	origin       = "tocsin-evidence"
	manifestFile = "MANIFEST"
	keyFile      = "key.pub"

	// A bundle is read whole; what is larger is none of ours.
	maxFiles = 5000
	maxBytes = 512 << 20
)

// fileName is a name that stays within the folder that a bundle is unpacked in.
var fileName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_-]*(\.[a-z]+)*(/[A-Za-z0-9][A-Za-z0-9_-]*(\.[a-z]+)*)?$`)

// Pack signs the files, in the order of their names, and packs them as a .tar.gz. The same files give the same bytes: no times are in it.
func (k Key) Pack(files []File) ([]byte, error) {
	files = append(slices.Clone(files), File{keyFile, []byte(k.Public() + "\n")})
	slices.SortFunc(files, func(a, b File) int { return strings.Compare(a.Name, b.Name) })
	manifest, err := k.sign(manifestOf(files))
	if err != nil {
		return nil, err
	}
	return archive(append([]File{{manifestFile, []byte(manifest)}}, files...))
}

func archive(files []File) ([]byte, error) {
	var out bytes.Buffer
	zip := gzip.NewWriter(&out)
	w := tar.NewWriter(zip)
	for _, f := range files {
		if err := w.WriteHeader(&tar.Header{Name: f.Name, Mode: 0o644, Size: int64(len(f.Data)), Format: tar.FormatUSTAR}); err != nil {
			return nil, fmt.Errorf("bundle %s: %w", f.Name, err)
		}
		if _, err := w.Write(f.Data); err != nil {
			return nil, fmt.Errorf("bundle %s: %w", f.Name, err)
		}
	}
	if err := errors.Join(w.Close(), zip.Close()); err != nil {
		return nil, fmt.Errorf("bundle: %w", err)
	}
	return out.Bytes(), nil
}

// manifestOf names each file with its SHA-256, as sha256sum does.
func manifestOf(files []File) string {
	var b strings.Builder
	b.WriteString(origin + "\n")
	for _, f := range files {
		sum := sha256.Sum256(f.Data)
		b.WriteString(hex.EncodeToString(sum[:]) + "  " + f.Name + "\n")
	}
	return b.String()
}

// Unpack reads a bundle. It checks nothing but that it is one.
func Unpack(r io.Reader) ([]File, error) {
	zip, err := gzip.NewReader(r)
	if err != nil {
		return nil, fmt.Errorf("it is no bundle: %w", err)
	}
	limited := &io.LimitedReader{R: zip, N: maxBytes}
	in := tar.NewReader(limited)
	var files []File
	for {
		h, err := in.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		switch {
		case err != nil && limited.N <= 0:
			return nil, fmt.Errorf("it is larger than %d bytes", maxBytes)
		case err != nil:
			return nil, fmt.Errorf("it is no bundle: %w", err)
		case h.Typeflag != tar.TypeReg || !fileName.MatchString(h.Name):
			return nil, fmt.Errorf("it has %q, which no bundle has", h.Name)
		case slices.ContainsFunc(files, func(f File) bool { return f.Name == h.Name }):
			return nil, fmt.Errorf("it has %s twice", h.Name)
		case len(files) == maxFiles:
			return nil, fmt.Errorf("it has more than %d files", maxFiles)
		}
		data, err := io.ReadAll(in)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", h.Name, err)
		}
		files = append(files, File{h.Name, data})
	}
	// What gzip has after the archive has to be nothing: its checksum is read with it.
	if n, err := io.Copy(io.Discard, limited); err != nil || n > 0 {
		return nil, errors.Join(errors.New("it goes on after its end"), err)
	}
	return files, nil
}
