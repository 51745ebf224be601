// SPDX-License-Identifier: Apache-2.0

package pipeline

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// AnchorFile appends checkpoints to a file, an empty line between them. What a crash has left of one stands on lines of its own:
// [proof.LastNote] passes over it.
func AnchorFile(name string) func(ctx context.Context, note string) error {
	return func(_ context.Context, note string) error {
		before, err := os.Stat(name)
		made := errors.Is(err, fs.ErrNotExist)
		switch {
		case made:
		case err != nil:
			return err
		case !before.Mode().IsRegular():
			return errors.New("it is no file") // a pipe without a reader would never end
		case before.Size() > 0:
			note = "\n" + note
		}
		f, err := os.OpenFile(name, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
		if err != nil {
			return err
		}
		_, err = f.WriteString(note)
		if err == nil {
			err = f.Sync()
		}
		if err = errors.Join(err, f.Close()); err == nil && made {
			err = syncFolder(filepath.Dir(name))
		}
		return err
	}
}

// syncFolder has the name of a new file outlast a power cut.
func syncFolder(name string) error {
	d, err := os.Open(name)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
