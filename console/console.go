// SPDX-License-Identifier: Apache-2.0

// Package console has the web page: incidents, what each was made of, and what surrounds them. The page is a
// program of its own in web/, which asks the API for everything; here is what serves it.
//
// What `make build` made of web/ is embedded from dist/web. A checkout on which that was never done builds all the
// same: its binary serves a page that says how to get the console.
package console

import (
	"embed"
	"io/fs"
	"net/http"
	"path"
	"slices"
	"strings"
)

//go:embed all:dist
var dist embed.FS

//go:embed unbuilt
var unbuilt embed.FS

// pages are the first parts of the addresses that are views of the one page: web/src/lib/routes.ts has them too.
var pages = []string{"incidents", "rules", "bench", "exceptions", "attack", "entities", "sources", "quarantine", "alerts", "silences", "tail", "audit", "status"}

// Built reports whether the console is in this binary.
func Built() bool {
	_, err := fs.Stat(dist, "dist/web/index.html")
	return err == nil
}

// Handler serves the console.
func Handler() http.Handler {
	if Built() {
		return site{sub(dist, "dist/web")}
	}
	return site{sub(unbuilt, "unbuilt")}
}

func sub(files embed.FS, dir string) fs.FS {
	s, err := fs.Sub(files, dir)
	if err != nil {
		panic(err) // dir is a constant path
	}
	return s
}

// site serves files, and the page for the addresses of its views.
type site struct{ files fs.FS }

func (s site) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "the console is only read", http.StatusMethodNotAllowed)
		return
	}
	name := strings.TrimPrefix(path.Clean(r.URL.Path), "/")
	first, _, _ := strings.Cut(name, "/")
	if name == "" || slices.Contains(pages, first) {
		name = "index.html"
	}
	if strings.HasSuffix(name, ".gz") || !isFile(s.files, name) {
		http.NotFound(w, r)
		return
	}
	h := w.Header()
	// The names under assets have the hash of what is in them: what is new has a new name.
	if strings.HasPrefix(name, "assets/") {
		h.Set("Cache-Control", "public, max-age=31536000, immutable")
	} else {
		h.Set("Cache-Control", "no-cache")
	}
	h.Set("Vary", "Accept-Encoding")
	h.Set("Content-Type", contentType(name))
	if takesGzip(r.Header.Get("Accept-Encoding")) && isFile(s.files, name+".gz") {
		h.Set("Content-Encoding", "gzip")
		name += ".gz"
	}
	http.ServeFileFS(w, r, s.files, name)
}

func isFile(files fs.FS, name string) bool {
	i, err := fs.Stat(files, name)
	return err == nil && !i.IsDir()
}

// contentType does not ask the machine, whose tables differ.
func contentType(name string) string {
	switch path.Ext(name) {
	case ".html":
		return "text/html; charset=utf-8"
	case ".js":
		return "text/javascript; charset=utf-8"
	case ".css":
		return "text/css; charset=utf-8"
	case ".svg":
		return "image/svg+xml"
	}
	return "application/octet-stream"
}

// takesGzip reads Accept-Encoding: gzip is taken if it is named and not with a weight of zero.
func takesGzip(accept string) bool {
	for part := range strings.SplitSeq(accept, ",") {
		coding, weight, _ := strings.Cut(part, ";")
		if !strings.EqualFold(strings.TrimSpace(coding), "gzip") {
			continue
		}
		q, has := strings.CutPrefix(strings.TrimSpace(weight), "q=")
		return !has || strings.Trim(q, "0.") != ""
	}
	return false
}
