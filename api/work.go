// SPDX-License-Identifier: Apache-2.0

package api

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"

	"tocsin/api/auth"
	"tocsin/incident"
)

const (
	// maxComment bounds a comment, maxAssignee a name, in bytes.
	maxComment  = 10 << 10
	maxAssignee = 200
)

// name is an assignee: not sent leaves it, null is nobody.
type name struct {
	sent bool
	text string
}

// UnmarshalJSON implements [json.Unmarshaler].
func (n *name) UnmarshalJSON(b []byte) error {
	n.sent = true
	if bytes.Equal(b, []byte("null")) {
		n.text = ""
		return nil
	}
	return json.Unmarshal(b, &n.text)
}

// Schema implements [huma.SchemaProvider].
func (name) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: huma.TypeString, Nullable: true, Description: "who works on it; null is nobody"}
}

// standing is a status; it cannot be taken away.
type standing struct {
	null bool
	text string
}

// UnmarshalJSON implements [json.Unmarshaler].
func (s *standing) UnmarshalJSON(b []byte) error {
	s.null = bytes.Equal(b, []byte("null"))
	return json.Unmarshal(b, &s.text)
}

// Schema implements [huma.SchemaProvider].
func (standing) Schema(huma.Registry) *huma.Schema {
	s := &huma.Schema{Type: huma.TypeString, Description: "closed wants a verdict, and is final"}
	for _, x := range statuses {
		s.Enum = append(s.Enum, x)
	}
	return s
}

// IncidentChange is what somebody wants of an incident, as a JSON merge patch.
type IncidentChange struct {
	Status   standing `json:"status,omitzero" required:"false"`
	Verdict  string   `json:"verdict,omitempty" enum:"true_positive,benign,false_positive" doc:"with the status closed"`
	Assignee name     `json:"assignee,omitzero" required:"false"`
}

// work checks a change. An error names the field.
func (c IncidentChange) work(ctx context.Context) (incident.Work, error) {
	w := incident.Work{By: auth.Of(ctx).Name, Verdict: incident.Verdict(c.Verdict)}
	if c.Status.text != "" {
		s := incident.Status(c.Status.text)
		w.Status = &s
	}
	switch closes := c.Status.text == string(incident.Closed); {
	case c.Status.null:
		return w, problem(http.StatusUnprocessableEntity, "status: null is none; there are "+strings.Join(statuses, ", "))
	case closes && c.Verdict == "":
		return w, problem(http.StatusUnprocessableEntity, "verdict: closing wants one: true_positive, benign or false_positive")
	case !closes && c.Verdict != "":
		return w, problem(http.StatusUnprocessableEntity, "verdict: it goes with the status closed")
	}
	if c.Assignee.sent {
		who := strings.TrimSpace(c.Assignee.text)
		if err := plain("assignee", who, maxAssignee, ""); err != nil {
			return w, err
		}
		w.Assignee = &who
	}
	return w, nil
}

// plain reports text that is too long, or has control characters other than those allowed.
func plain(what, text string, most int, allowed string) error {
	if len(text) > most {
		return problem(http.StatusUnprocessableEntity, fmt.Sprintf("%s: it has %d bytes, and may have %d", what, len(text), most))
	}
	if i := strings.IndexFunc(text, func(r rune) bool { return unicode.IsControl(r) && !strings.ContainsRune(allowed, r) }); i >= 0 {
		r, _ := utf8.DecodeRuneInString(text[i:])
		return problem(http.StatusUnprocessableEntity, fmt.Sprintf("%s: it has the control character %U", what, r))
	}
	return nil
}

// comment checks the text of one.
func comment(text string) (string, error) {
	text = strings.TrimSpace(strings.ReplaceAll(text, "\r\n", "\n"))
	if text == "" {
		return "", problem(http.StatusUnprocessableEntity, "text: it is empty")
	}
	return text, plain("text", text, maxComment, "\n\t")
}

// IdempotencyKey is a header of requests that add something.
type IdempotencyKey struct {
	Key string `header:"Idempotency-Key" maxLength:"200" doc:"makes a request that comes twice one act; with the same key another body is refused"`
}

func (s *server) registerWork(h huma.API) {
	huma.Register(h, huma.Operation{
		OperationID: "patch-incident", Method: http.MethodPatch, Path: "/api/v1/incidents/{id}", Summary: "Change status and assignee",
		Description: "A JSON merge patch. If-Match has the ETag of the incident as it was read: without one the answer is 428, and 412 if it was changed since. " +
			"The status closed wants a verdict, goes through the log as POST …/close does, and is final; of a closed incident the assignee alone changes.",
	}, func(ctx context.Context, in *struct {
		ID      string `path:"id" pattern:"^[0-9a-f]{32}$"`
		IfMatch string `header:"If-Match" doc:"the ETag of the incident, or * for any"`
		Body    IncidentChange
	}) (*tagged, error) {
		w, err := in.Body.work(ctx)
		if err != nil {
			return nil, err
		}
		if w.If, err = ifMatch(in.IfMatch); err != nil {
			return nil, err
		}
		if _, err := s.Backend.Work(ctx, in.ID, w); err != nil {
			return nil, failed(err)
		}
		return s.tagged(ctx, in.ID)
	})
	huma.Register(h, huma.Operation{
		OperationID: "comment-incident", Method: http.MethodPost, Path: "/api/v1/incidents/{id}/comments", Summary: "Write a comment",
		Description: "Plain text of up to 10 KiB, with line breaks and tabs.", DefaultStatus: http.StatusCreated,
	}, func(ctx context.Context, in *struct {
		IdempotencyKey
		ID   string `path:"id" pattern:"^[0-9a-f]{32}$"`
		Body struct {
			Text string `json:"text"`
		}
	}) (*one[incident.Act], error) {
		text, err := comment(in.Body.Text)
		if err != nil {
			return nil, err
		}
		done, err := s.Backend.Work(ctx, in.ID, incident.Work{Comment: text, By: auth.Of(ctx).Name, Key: in.Key})
		if err != nil {
			return nil, failed(err)
		}
		return &one[incident.Act]{done.Acts[0]}, nil
	})
}
