// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/fsnotify/fsnotify"
)

// Changes come in bursts, file by file: they are waited out for reloadQuiet, and for reloadWithin in all. What could not be
// put in force, though the files are right, is tried again after reloadAgain.
const (
	reloadQuiet  = 500 * time.Millisecond
	reloadWithin = 5 * time.Second
	reloadAgain  = 2 * time.Second
)

// ruleWatcher tells when rule files change.
type ruleWatcher struct {
	paths []string
	log   *slog.Logger
	// fs is nil where files cannot be watched.
	fs   *fsnotify.Watcher
	tree ruleTree
}

// watchRules begins to watch. Where that cannot be done the log says so; SIGHUP and the API are left.
func watchRules(paths []string, log *slog.Logger) *ruleWatcher {
	w := &ruleWatcher{log: log}
	for _, p := range paths {
		w.paths = append(w.paths, filepath.Clean(p))
	}
	var err error
	if w.fs, err = fsnotify.NewWatcher(); err != nil {
		log.Warn("rule files are not watched: send SIGHUP when they change", "err", err)
		return w
	}
	w.follow()
	return w
}

func (w *ruleWatcher) close() {
	if w.fs != nil {
		_ = w.fs.Close() // nothing more is read from it
	}
}

// follow watches the folders that rules are in now, and those that the paths themselves are in: a path may be a link,
// or be put back after it was gone.
func (w *ruleWatcher) follow() {
	if w.fs == nil {
		return
	}
	if tree, err := findRules(w.paths); err == nil {
		w.tree = tree // else the last one: what is missing may come back
	}
	for _, old := range w.fs.WatchList() {
		_ = w.fs.Remove(old) // its folder may be another by now, or none
	}
	folders := slices.Clone(w.tree.folders)
	for _, p := range w.paths {
		folders = append(folders, filepath.Dir(p))
	}
	for _, f := range folders {
		if err := w.fs.Add(f); err != nil && !errors.Is(err, fs.ErrNotExist) {
			w.log.Warn("rule files are not watched: send SIGHUP when they change", "folder", f, "err", err)
		}
	}
}

// concerns reports whether an event can change the rules.
func (w *ruleWatcher) concerns(e fsnotify.Event) bool {
	if e.Op == fsnotify.Chmod {
		return false
	}
	name := filepath.Clean(e.Name)
	if filepath.Base(name) == "..data" {
		return true // how the kubelet changes a volume: one link is put in the place of another
	}
	if slices.Contains(w.paths, name) || slices.Contains(w.tree.files, name) || slices.Contains(w.tree.folders, name) {
		return true
	}
	if strings.HasPrefix(filepath.Base(name), ".") || !slices.Contains(w.tree.folders, filepath.Dir(name)) {
		return false
	}
	info, err := os.Stat(name)
	return isRuleFile(name) || err == nil && info.IsDir()
}

// run calls reload after changes, and when asked to by hup, until ctx ends. reload says whether to try again.
func (w *ruleWatcher) run(ctx context.Context, hup <-chan os.Signal, reload func() (again bool)) {
	var events chan fsnotify.Event
	var errs chan error
	if w.fs != nil {
		events, errs = w.fs.Events, w.fs.Errors
	}
	var since time.Time // of the first change that waits
	timer := time.NewTimer(0)
	<-timer.C
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case e := <-events:
			if !w.concerns(e) {
				continue
			}
		case err := <-errs:
			w.log.Warn("watch rule files", "err", err) // changes may have been lost
		case <-timer.C:
			since = time.Time{}
			w.follow() // first: what changes while the files are read is told of again
			if reload() {
				timer.Reset(reloadAgain)
			}
			continue
		case <-hup:
			timer.Reset(0)
			continue
		}
		if since.IsZero() {
			since = time.Now()
		}
		timer.Reset(min(reloadQuiet, time.Until(since.Add(reloadWithin))))
	}
}
