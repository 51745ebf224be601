// SPDX-License-Identifier: Apache-2.0

package main

import (
	"io"
	"net/http"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// words splits a line as a shell does, with both quotes, backslashes and variables.
func words(line string, vars map[string]string) (out []string) {
	var word strings.Builder
	begun, quote := false, rune(0)
	in := []rune(line)
	for i := 0; i < len(in); i++ {
		r := in[i]
		switch {
		case quote != '\'' && r == '\\' && i+1 < len(in):
			i++
			word.WriteRune(in[i])
		case quote != 0 && r == quote:
			quote = 0
		case quote == 0 && (r == '\'' || r == '"'):
			quote, begun = r, true
		case quote != '\'' && r == '$':
			n := i + 1
			for n < len(in) && (in[n] >= 'A' && in[n] <= 'Z' || in[n] == '_') {
				n++
			}
			word.WriteString(vars[string(in[i+1:n])])
			i, begun = n-1, true
		case quote == 0 && (r == ' ' || r == '\n'):
			if begun {
				out = append(out, word.String())
			}
			word.Reset()
			begun = false
		default:
			word.WriteRune(r)
			begun = true
		}
	}
	if begun {
		out = append(out, word.String())
	}
	return out
}

// curl does what curl would with these arguments.
func curl(t *testing.T, args []string) (*http.Response, string) {
	t.Helper()
	method, url, body := http.MethodGet, "", ""
	header := http.Header{}
	for i := 0; i < len(args); i++ {
		switch args[i] {
		case "-X":
			i++
			method = args[i]
		case "-H":
			i++
			name, v, _ := strings.Cut(args[i], ": ")
			header.Set(name, v)
		case "-d":
			i++
			body = args[i]
		case "-i", "-OJ":
		default:
			url = args[i]
		}
	}
	req, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header = header
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(b)
}

// TestDocsRequestsWork makes every request that docs/api.md shows, in its order, on a server with incidents.
func TestDocsRequestsWork(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	rule := writeFile(t, "shell.yml", shellRule)
	s := serveHere(t, "sqlite:"+filepath.Join(data, "tocsin.db"), data, func(c *Config) { c.Rules = []string{rule} })
	vars := map[string]string{
		"API": "http://" + s.node.api.Addr().String(), "TOKEN": s.node.cfg.API.Token,
		"ID": s.oneIncident("ana").ID, "OTHER": s.oneIncident("mo").ID,
	}
	n := 0
	for _, block := range regexp.MustCompile("(?s)```sh\n(.*?)```").FindAllStringSubmatch(page(t, "docs/api.md"), -1) {
		for line := range strings.SplitSeq(strings.ReplaceAll(strings.TrimSpace(block[1]), "\\\n", ""), "\n") {
			args := words(line, vars)
			if args[0] != "curl" {
				t.Fatalf("%s is no curl", line)
			}
			resp, body := curl(t, args[1:])
			if resp.StatusCode >= 300 || body == "" || strings.Contains(body, `"problem":{`) {
				t.Errorf("%s\n%s %s", line, resp.Status, body)
			}
			if tag := resp.Header.Get("ETag"); tag != "" {
				vars["ETAG"] = tag
			}
			n++
		}
	}
	if n < 6 {
		t.Errorf("the page shows %d requests", n)
	}
}
