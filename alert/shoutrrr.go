// SPDX-License-Identifier: Apache-2.0

package alert

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/nicholas-fedor/shoutrrr/pkg/types"
)

const (
	// shoutrrrTitle says what else the severity's colour would: services of this kind show words alone.
	shoutrrrTitle = `{{ if ne .Kind "opened" }}[{{ .Kind | toUpper }}] {{ end }}{{ .Title }}`
	shoutrrrText  = `{{ .Severity | toUpper }} {{ .Rule.Title }} ({{ .Rule.ID }}){{ with .Verdict }}, {{ . }}{{ end }}
{{ with .Entities }}{{ join ", " . | cut 200 }}
{{ end }}{{ plural .EventCount "event" "events" }} in {{ plural .DetectionCount "detection" "detections" }}, {{ .FirstEvent }} to {{ .LastEvent }}
{{- with .MergedInto }}
Joined into incident {{ . }}{{ end }}
{{- with .URL }}
{{ . }}{{ end }}
{{- with .Description }}
{{ . | cut 200 }}{{ end }}`
)

// shoutrrr tells the services that the module of that name knows and this program does not. The module drafts requests and sends none: its
// own clients reach any address, wait as long as they like and say nothing of Retry-After. So a service is among ours only if the module lets
// it have another client.
type shoutrrr struct {
	url     string
	service shoutrrrService
	texts   texts
	// secrets are the parts of the address: which of them is one each service says for itself.
	secrets  []string
	external string
	client   *http.Client
}

func (r Receiver) validateShoutrrr(at string) error {
	all := shoutrrrServices()
	u, err := url.Parse(r.URL)
	if err != nil {
		return wrong(at+".url", "not an address of shoutrrr's: SERVICE://…") // err repeats it
	}
	s, known := all[u.Scheme]
	if !known {
		return wrong(at+".url", "%q is no service here: %s; for others a webhook's text may be what they take", ellipsis(oneLine(u.Scheme), 32), strings.Join(slices.Sorted(maps.Keys(all)), ", "))
	}
	for key := range u.Query() {
		if key = strings.ToLower(key); key == "insecureskipverify" || key == "disabletlsverification" {
			return wrong(at+".url", "no %s: certificates are always verified", key)
		}
	}
	if _, err := s.draft(r.URL, "title", "text"); err != nil {
		return wrong(at+".url", "it is %s", s.form) // err may repeat parts of it
	}
	return nil
}

func newShoutrrr(r Receiver, c Config) (*shoutrrr, error) {
	u, err := url.Parse(r.URL)
	if err != nil {
		return nil, fmt.Errorf("receiver %s: the url is no address", r.Name)
	}
	s := &shoutrrr{url: r.URL, service: shoutrrrServices()[u.Scheme], secrets: partsOf(u), external: c.ExternalURL, client: newClient(c.guard())}
	if s.texts, err = newTexts(r, shoutrrrTitle, shoutrrrText, s.service.escape); err != nil {
		return nil, fmt.Errorf("receiver %s: %w", r.Name, err)
	}
	return s, nil
}

// partsOf returns what an address is made of, without what is too short for a secret.
func partsOf(u *url.URL) []string {
	password, _ := u.User.Password()
	parts := append(strings.Split(u.Path, "/"), u.User.Username(), password, u.Host)
	for _, values := range u.Query() {
		parts = append(parts, values...)
	}
	return slices.DeleteFunc(parts, func(s string) bool { return len(s) < 6 })
}

// draft has the module write the request for a message. It is made anew each time: a service keeps what one message had for the next.
func (s shoutrrrService) draft(address, title, body string) (*http.Request, error) {
	u, err := url.Parse(address)
	if err != nil {
		return nil, errors.New("the url is no address")
	}
	d := &drafts{}
	service, err := s.open(u, &http.Client{Transport: d})
	if err != nil {
		return nil, err
	}
	params := types.Params{}
	if s.heading != nil {
		body = s.heading(title) + "\n" + body
	} else {
		params.SetTitle(title)
	}
	maps.Copy(params, s.params)
	if err := service.Send(body, &params); err != nil {
		return nil, err
	}
	// Of several a failure would have the first ones sent again.
	if len(d.requests) != 1 || !webAddress(d.requests[0].URL.String()) {
		return nil, fmt.Errorf("the message would be %d requests", len(d.requests))
	}
	return d.requests[0], nil
}

// drafts keeps requests instead of sending them.
type drafts struct{ requests []*http.Request }

// RoundTrip implements [http.RoundTripper]: any service is content with its answer.
func (d *drafts) RoundTrip(r *http.Request) (*http.Response, error) {
	var body []byte
	if r.Body != nil {
		var err error
		if body, err = io.ReadAll(r.Body); err != nil {
			return nil, err
		}
		if err := r.Body.Close(); err != nil {
			return nil, err
		}
	}
	kept, err := http.NewRequest(r.Method, r.URL.String(), bytes.NewReader(body)) //nolint:noctx // it gets one when it is sent
	if err != nil {
		return nil, err
	}
	kept.Header = r.Header.Clone()
	d.requests = append(d.requests, kept)
	return &http.Response{Status: "200 OK", StatusCode: http.StatusOK, Header: make(http.Header), Body: io.NopCloser(strings.NewReader("{}")), Request: r}, nil
}

func (s *shoutrrr) send(ctx context.Context, it Item) error {
	a, err := readAbout(it.Body, s.external)
	if err != nil {
		return err
	}
	title, body := s.texts.render(a)
	title = ellipsis(oneLine(title), s.service.maxTitle) // one is in a header
	req, err := s.service.draft(s.url, title, ellipsis(body, s.service.maxText))
	if err != nil {
		return fmt.Errorf("%w: %s", errPermanent, words([]byte(err.Error()), s.secrets...))
	}
	req = req.WithContext(ctx)
	req.Header.Set("User-Agent", "tocsin")
	req.Header.Set("X-Tocsin-Key", it.Key())
	at := time.Now()
	resp, err := s.client.Do(req)
	if err != nil {
		return fmt.Errorf("post: %w", withoutAddress(err))
	}
	said := answer(resp)
	if resp.StatusCode >= 200 && resp.StatusCode < 300 && s.service.took(resp.StatusCode, said) {
		return nil
	}
	// Another success is not the service's: somebody took the message to nowhere.
	err = unwelcome(resp, at)
	if w := words(said, s.secrets...); w != "" && errors.Is(err, errPermanent) {
		return fmt.Errorf("%w: %s", err, w)
	}
	return err
}

func (s *shoutrrr) close() { s.client.CloseIdleConnections() }

// has reports whether an answer is JSON with a value for a key, as services have it that say what became of a message.
func has(said []byte, key string) bool {
	var m map[string]json.RawMessage
	if json.Unmarshal(said, &m) != nil {
		return false
	}
	v := string(m[key])
	return v != "" && v != "null" && v != "false" && v != "0" && v != `""`
}
