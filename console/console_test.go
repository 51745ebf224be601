// SPDX-License-Identifier: Apache-2.0

package console_test

import (
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"tocsin/console"
)

func get(t *testing.T, path string) *httptest.ResponseRecorder {
	t.Helper()
	w := httptest.NewRecorder()
	console.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
	return w
}

func TestPageAndWhatItLoads(t *testing.T) {
	t.Parallel()
	page := get(t, "/")
	if page.Code != http.StatusOK || !strings.HasPrefix(page.Header().Get("Content-Type"), "text/html") {
		t.Fatalf("%d, %v", page.Code, page.Header())
	}
	for _, m := range regexp.MustCompile(`(?:src|href)="([^"]*)"`).FindAllStringSubmatch(page.Body.String(), -1) {
		if strings.Contains(m[1], ":") {
			t.Errorf("the page loads %s from elsewhere", m[1])
			continue
		}
		if w := get(t, "/"+m[1]); w.Code != http.StatusOK {
			t.Errorf("%s: %d", m[1], w.Code)
		}
	}
	if w := get(t, "/none"); w.Code != http.StatusNotFound {
		t.Errorf("a file that is not there: %d", w.Code)
	}
}

// The policy of the server allows nothing inline; and what an event says must never become markup.
func TestNothingInlineAndNoMarkupFromText(t *testing.T) {
	t.Parallel()
	page := get(t, "/").Body.String()
	if regexp.MustCompile(`(?i)<script(?:\s[^>]*)?>\s*[^\s<]|<style|\sstyle=|\son[a-z]+=`).MatchString(page) {
		t.Error("the page has inline script or style")
	}
	script := get(t, "/app.js").Body.String()
	for _, way := range []string{"innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function", "localStorage"} {
		if strings.Contains(script, way) {
			t.Errorf("the script uses %s", way)
		}
	}
}
