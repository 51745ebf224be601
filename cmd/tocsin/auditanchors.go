// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"tocsin/pipeline"
)

// anchorConfig is a place that is given checkpoints of the audit log: a file, or an address.
type anchorConfig struct {
	Name string `yaml:"name"`
	File string `yaml:"file"`
	URL  string `yaml:"url"`
	// Method is PUT or POST, "" for PUT.
	Method    string            `yaml:"method"`
	Headers   map[string]string `yaml:"headers"`
	Token     string            `yaml:"token"`
	TokenFile string            `yaml:"token_file"`
	// Every is 0 for an hour.
	Every time.Duration `yaml:"every"`
}

// validateAnchors refuses what no checkpoint could be given to.
func (c *Config) validateAnchors() error {
	known := make(map[string]bool)
	for i, a := range c.Audit.Anchors {
		at := fmt.Sprintf("audit.anchors[%d]", i)
		name := a.name(i)
		switch {
		case !anchorName(name):
			return wrongKey(at+".name", "%q is no name: lower-case letters, digits, - and _, at most 63", name)
		case known[name]:
			return wrongKey(at+".name", "there is an anchor %q already", name)
		case (a.File == "") == (a.URL == ""):
			return wrongKey(at, "it has a file or a url")
		case a.Every != 0 && (a.Every < time.Minute || a.Every > 30*24*time.Hour):
			return wrongKey(at+".every", "it is between 1m and 30d, not %s", spell(a.Every))
		case a.File != "" && (a.Method != "" || len(a.Headers) > 0 || a.Token != "" || a.TokenFile != ""):
			return wrongKey(at+".file", "method, headers, token and token_file are of a url")
		}
		known[name] = true
		if err := a.validateURL(at); a.URL != "" && err != nil {
			return err
		}
	}
	return nil
}

// validateURL repeats no value that may hold a secret.
func (a anchorConfig) validateURL(at string) error {
	u, err := url.Parse(a.URL)
	switch {
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "":
		return wrongKey(at+".url", "not an http or https address with a host")
	case a.Method != "" && a.Method != http.MethodPut && a.Method != http.MethodPost:
		return wrongKey(at+".method", "it is PUT or POST, not %q", a.Method)
	case a.Token != "" && a.TokenFile != "":
		return wrongKey(at+".token_file", "there is a token already")
	case u.User != nil && a.Token+a.TokenFile != "":
		return wrongKey(at+".url", "a user in it and a token are two credentials")
	case strings.TrimSpace(a.Token) != a.Token || strings.ContainsFunc(a.Token, control):
		return wrongKey(at+".token", "it has blanks around it, or more than one line")
	}
	for name, value := range a.Headers {
		switch {
		case name == "" || strings.Trim(name, headerLetters) != "":
			return wrongKey(at+".headers", "%q is no name of a header", name)
		case strings.ContainsFunc(value, control):
			return wrongKey(at+".headers", "the value of %s has a control character", name)
		case strings.EqualFold(name, "Authorization") && (u.User != nil || a.Token+a.TokenFile != ""):
			return wrongKey(at+".headers", "Authorization is there already")
		}
	}
	return nil
}

const headerLetters = "!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

func control(r rune) bool { return r < ' ' || r == 0x7f }

func anchorName(s string) bool {
	return s != "" && len(s) <= 63 && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789-_") == ""
}

// name is its own, else its place in the list.
func (a anchorConfig) name(i int) string { return cmp.Or(a.Name, strconv.Itoa(i)) }

// anchors are those of a valid configuration.
func (c *Config) anchors() []pipeline.Anchor {
	var out []pipeline.Anchor
	for i, a := range c.Audit.Anchors {
		x := pipeline.Anchor{Name: a.name(i), Every: cmp.Or(a.Every, time.Hour)}
		if a.File != "" {
			x.Keep = pipeline.AnchorFile(a.File)
		} else {
			to := pipeline.AnchorURL{URL: a.URL, Method: cmp.Or(a.Method, http.MethodPut), Headers: a.Headers, Token: a.Token, TokenFile: a.TokenFile}
			x.Keep = to.Keeper()
		}
		out = append(out, x)
	}
	return out
}
