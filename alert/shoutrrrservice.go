// SPDX-License-Identifier: Apache-2.0

package alert

import (
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/nicholas-fedor/shoutrrr/pkg/services/chat/discord"
	"github.com/nicholas-fedor/shoutrrr/pkg/services/chat/mattermost"
	"github.com/nicholas-fedor/shoutrrr/pkg/services/chat/rocketchat"
	"github.com/nicholas-fedor/shoutrrr/pkg/services/push/gotify"
	"github.com/nicholas-fedor/shoutrrr/pkg/services/push/ntfy"
	"github.com/nicholas-fedor/shoutrrr/pkg/services/push/pushover"
	"github.com/nicholas-fedor/shoutrrr/pkg/types"
)

// shoutrrrService is what has to be known of a service besides what the module knows.
type shoutrrrService struct {
	// form is how its addresses look.
	form string
	// open makes the module's service, which has no client but the one it is given.
	open func(u *url.URL, client *http.Client) (types.Service, error)
	// params hold for each message.
	params types.Params
	// heading makes a title the beginning of the text, nil where a message has a title.
	heading func(title string) string
	// escape makes text that calls nobody and hides no link.
	escape func(string) string
	// maxTitle and maxText are what a message has room for, in characters.
	maxTitle, maxText int
	// took reports whether an answer that is a success is the service's.
	took func(code int, said []byte) bool
}

// shoutrrrServices are by the scheme of their addresses. Of the module's others some have a receiver of their own here (slack, pagerduty, smtp);
// the rest use clients that nobody else can choose.
func shoutrrrServices() map[string]shoutrrrService {
	plain := func(s string) string { return s }
	return map[string]shoutrrrService{
		"discord": {
			form: "discord://TOKEN@WEBHOOK_ID",
			open: func(u *url.URL, client *http.Client) (types.Service, error) {
				s := &discord.Service{}
				err := s.Initialize(u, nil)
				if s.Config.JSON {
					err = errors.New("our text is no request of Discord's")
				}
				s.HTTPClient = client
				return s, err
			},
			// A line for each would be several requests where there are many.
			params: types.Params{"splitLines": "No"}, escape: escapeMarkdown, maxTitle: 250, maxText: 1900,
			took: func(code int, _ []byte) bool { return code == http.StatusNoContent },
		},
		"gotify": {
			form: "gotify://HOST/TOKEN",
			open: func(u *url.URL, client *http.Client) (types.Service, error) {
				s := &gotify.Service{}
				if err := s.Initialize(u, nil); err != nil {
					return nil, err
				}
				*s.GetHTTPClient() = *client
				return s, nil
			},
			escape: plain, maxTitle: 250, maxText: 4000,
			took: func(_ int, said []byte) bool { return has(said, "id") },
		},
		"mattermost": {
			form: "mattermost://HOST/TOKEN",
			open: func(u *url.URL, client *http.Client) (types.Service, error) {
				s := &mattermost.Service{}
				if err := s.Initialize(u, nil); err != nil {
					return nil, err
				}
				*s.GetHTTPClient() = *client
				return s, nil
			},
			heading: func(title string) string { return "**" + title + "**" }, escape: escapeMarkdown, maxTitle: 250, maxText: 3600,
			took: func(_ int, said []byte) bool { return strings.TrimSpace(string(said)) == "ok" },
		},
		"ntfy": {
			form: "ntfy://HOST/TOPIC or ntfy://USER:PASSWORD@HOST/TOPIC",
			open: func(u *url.URL, client *http.Client) (types.Service, error) {
				s := &ntfy.Service{}
				err := s.Initialize(u, nil)
				s.SetHTTPClient(client)
				return s, err
			},
			// It has 4,096 bytes: more becomes a file.
			escape: plain, maxTitle: 200, maxText: 1000,
			took: func(_ int, said []byte) bool { return has(said, "id") },
		},
		"pushover": {
			form: "pushover://shoutrrr:TOKEN@USER",
			open: func(u *url.URL, client *http.Client) (types.Service, error) {
				s := &pushover.Service{}
				err := s.Initialize(u, nil)
				s.Client = client
				return s, err
			},
			escape: plain, maxTitle: 250, maxText: 1000,
			took: func(_ int, said []byte) bool { return has(said, "status") },
		},
		"rocketchat": {
			form: "rocketchat://HOST/TOKEN_A/TOKEN_B",
			open: func(u *url.URL, client *http.Client) (types.Service, error) {
				s := &rocketchat.Service{Client: client}
				return s, s.Initialize(u, nil)
			},
			heading: func(title string) string { return "*" + title + "*" }, escape: escapeMarkdown, maxTitle: 250, maxText: 3600,
			took: func(_ int, said []byte) bool { return has(said, "success") },
		},
	}
}

// escapeMarkdown makes text that looks as it was written. An @ calls nobody once something follows it that is no name, and a bracket makes no
// link once something follows it that is no parenthesis: a blank without width.
func escapeMarkdown(s string) string {
	return strings.NewReplacer(
		`\`, `\\`, "`", "\\`", "*", `\*`, "_", `\_`, "~", `\~`, "#", `\#`, "|", `\|`, "<", "<\u200b", "]", "]\u200b", "@", "@\u200b",
	).Replace(s)
}
