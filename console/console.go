// SPDX-License-Identifier: Apache-2.0

// Package console has the web page: incidents, and what each was made of. It is plain HTML, CSS and
// script, embedded, and asks the API for everything.
package console

import (
	"embed"
	"io/fs"
	"net/http"
)

//go:embed page
var files embed.FS

// Handler serves the page.
func Handler() http.Handler {
	page, err := fs.Sub(files, "page")
	if err != nil {
		panic(err) // the directory is embedded above
	}
	return http.FileServerFS(page)
}
