// SPDX-License-Identifier: Apache-2.0

package console

import (
	"compress/gzip"
	"encoding/json"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"
)

func get(t *testing.T, h http.Handler, path, accept string) *httptest.ResponseRecorder {
	t.Helper()
	w := httptest.NewRecorder()
	r := httptest.NewRequest(http.MethodGet, path, nil)
	r.Header.Set("Accept-Encoding", accept)
	h.ServeHTTP(w, r)
	return w
}

// linked is what a page loads by itself.
var linked = regexp.MustCompile(`(?:src|href)="([^"]*\.(?:js|css|svg))"`)

func TestPageAndWhatItLoads(t *testing.T) {
	t.Parallel()
	handlers := map[string]http.Handler{"unbuilt": site{sub(unbuilt, "unbuilt")}}
	if Built() {
		handlers["built"] = Handler()
	}
	for name, h := range handlers {
		page := get(t, h, "/", "")
		if page.Code != http.StatusOK || page.Header().Get("Content-Type") != "text/html; charset=utf-8" || page.Header().Get("Cache-Control") != "no-cache" {
			t.Fatalf("%s: %d, %v", name, page.Code, page.Header())
		}
		links := linked.FindAllStringSubmatch(page.Body.String(), -1)
		if len(links) == 0 {
			t.Errorf("%s: the page loads nothing:\n%s", name, page.Body)
		}
		for _, m := range links {
			if !strings.HasPrefix(m[1], "/") || strings.HasPrefix(m[1], "//") {
				t.Errorf("%s: the page loads %s, which is elsewhere or depends on the address", name, m[1])
			} else if w := get(t, h, m[1], ""); w.Code != http.StatusOK {
				t.Errorf("%s: %s: %d", name, m[1], w.Code)
			}
		}
		// The policy of the server allows nothing inline.
		if regexp.MustCompile(`(?i)<script(?:\s[^>]*)?>\s*[^\s<]|<style|\sstyle=|\son[a-z]+=`).MatchString(page.Body.String()) {
			t.Errorf("%s: the page has inline script or style", name)
		}
	}
}

// TestUnbuiltSaysHow: a binary without the console says how to get it, and what works without.
func TestUnbuiltSaysHow(t *testing.T) {
	t.Parallel()
	page := get(t, site{sub(unbuilt, "unbuilt")}, "/incidents/0123", "").Body.String()
	for _, want := range []string{"make build", "scripts/console-build", "tocsin incidents list", "/openapi.json"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page does not name %q", want)
		}
	}
}

func TestSite(t *testing.T) {
	t.Parallel()
	h := site{fstest.MapFS{
		"index.html":          {Data: []byte("page")},
		"assets/a-12.js":      {Data: []byte("script")},
		"assets/a-12.js.gz":   {Data: []byte("small script")},
		"assets/picture-1.xy": {Data: []byte("?")},
	}}
	const forever, ask = "public, max-age=31536000, immutable", "no-cache"
	for _, tt := range []struct {
		name, path, accept          string
		code                        int
		body, cache, coding, reason string
	}{
		{"the page", "/", "gzip", 200, "page", ask, "", "it has no .gz"},
		{"a view of it", "/incidents/0123", "", 200, "page", ask, "", ""},
		{"a view with a dot in it", "/rules/a.b", "", 200, "page", ask, "", ""},
		{"an asset", "/assets/a-12.js", "", 200, "script", forever, "", ""},
		{"an asset, packed", "/assets/a-12.js", "br, gzip;q=0.8", 200, "small script", forever, "gzip", ""},
		{"gzip refused", "/assets/a-12.js", "gzip;q=0, br", 200, "script", forever, "", ""},
		{"gzip refused at length", "/assets/a-12.js", "gzip;q=0.000", 200, "script", forever, "", ""},
		{"another coding that has gzip in its name", "/assets/a-12.js", "x-gzip", 200, "script", forever, "", ""},
		{"what is packed is no address", "/assets/a-12.js.gz", "", 404, "", "", "", ""},
		{"an asset of another version is none", "/assets/a-11.js", "", 404, "", "", "", "a page must not come as a script"},
		{"a directory", "/assets/", "", 404, "", "", "", ""},
		{"nothing", "/none", "", 404, "", "", "", ""},
		{"up and out", "/../console.go", "", 404, "", "", "", ""},
	} {
		w := get(t, h, tt.path, tt.accept)
		if w.Code != tt.code || tt.code == 200 && (w.Body.String() != tt.body || w.Header().Get("Cache-Control") != tt.cache ||
			w.Header().Get("Content-Encoding") != tt.coding || w.Header().Get("Vary") != "Accept-Encoding") {
			t.Errorf("%s: %d %q %v %s", tt.name, w.Code, w.Body, w.Header(), tt.reason)
		}
		if tt.code != 200 && strings.Contains(w.Header().Get("Cache-Control"), "immutable") {
			t.Errorf("%s: what is not there is kept for ever", tt.name)
		}
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/", nil))
	if w.Code != http.StatusMethodNotAllowed {
		t.Errorf("POST: %d", w.Code)
	}
}

// TestFirstViewIsSmall: what the browser fetches before the list is on screen is at most 80 kB.
func TestFirstViewIsSmall(t *testing.T) {
	t.Parallel()
	if !Built() {
		t.Skip("the console is not built here: scripts/console-test builds it and runs this")
	}
	h := Handler()
	page := get(t, h, "/", "gzip")
	total := page.Body.Len()
	r, err := gzip.NewReader(page.Body)
	if err != nil {
		t.Fatalf("the page is not sent packed: %v", err)
	}
	body, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range linked.FindAllStringSubmatch(string(body), -1) {
		w := get(t, h, m[1], "gzip")
		if w.Header().Get("Content-Encoding") != "gzip" {
			t.Errorf("%s is not sent packed", m[1])
		}
		total += w.Body.Len()
	}
	t.Logf("%d bytes", total)
	if total > 80_000 {
		t.Errorf("the first view is %d bytes, more than 80 kB", total)
	}
}

// TestTextIsNeverMarkup: what an event says comes from an attacker, so nothing may make markup or code of text.
func TestTextIsNeverMarkup(t *testing.T) {
	t.Parallel()
	files := 0
	err := filepath.WalkDir("web/src", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Base(path) == "schema.d.ts" {
			return err
		}
		files++
		b, err := os.ReadFile(path)
		for _, way := range []string{"{@html", "innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function", "srcdoc", "javascript:"} {
			if strings.Contains(string(b), way) {
				t.Errorf("%s uses %s", path, way)
			}
		}
		if m := regexp.MustCompile(`\sstyle="`).Find(b); m != nil {
			t.Errorf("%s has an inline style, which the policy of the server blocks", path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if files < 30 {
		t.Fatalf("only %d files were looked at", files)
	}
}

// TestPagesAreServed: each address that the console has a page for is served it.
func TestPagesAreServed(t *testing.T) {
	t.Parallel()
	b, err := os.ReadFile("web/src/lib/routes.ts")
	if err != nil {
		t.Fatal(err)
	}
	list := regexp.MustCompile(`export const pages = \[(.*)\]`).FindSubmatch(b)
	if list == nil {
		t.Fatal("routes.ts does not list its pages")
	}
	var want []string
	for _, m := range regexp.MustCompile(`'([a-z]+)'`).FindAllSubmatch(list[1], -1) {
		want = append(want, string(m[1]))
	}
	if !reflect.DeepEqual(want, pages) {
		t.Errorf("routes.ts has %v, console.go %v", want, pages)
	}
}

// TestTechniques: the console places techniques as the rules package does.
func TestTechniques(t *testing.T) {
	t.Parallel()
	source, err := os.ReadFile("../rules/attack.go")
	if err != nil {
		t.Fatal(err)
	}
	_, table, ok := strings.Cut(string(source), "techniqueTactics = map")
	if !ok {
		t.Fatal("rules/attack.go has no techniqueTactics")
	}
	table, _, _ = strings.Cut(table, "\n}\n")
	want := map[string][]string{}
	for _, m := range regexp.MustCompile(`"(T\d{4})": +"([^"]*)"`).FindAllStringSubmatch(table, -1) {
		want[m[1]] = strings.Fields(m[2])
	}
	b, err := os.ReadFile("web/src/lib/techniques.json")
	if err != nil {
		t.Fatal(err)
	}
	var got map[string][]string
	if err := json.Unmarshal(b, &got); err != nil {
		t.Fatal(err)
	}
	if len(want) < 30 || !reflect.DeepEqual(got, want) {
		t.Errorf("techniques.json has\n%v\nrules/attack.go has\n%v", got, want)
	}
}

// TestNoMachineInTheLock: the lock file names no registry but npm's own.
func TestNoMachineInTheLock(t *testing.T) {
	t.Parallel()
	b, err := os.ReadFile("web/package-lock.json")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile(`"resolved": "([^"]*)"`).FindAllSubmatch(b, -1) {
		if !strings.HasPrefix(string(m[1]), "https://registry.npmjs.org/") {
			t.Errorf("resolved from %s", m[1])
		}
	}
}
