// SPDX-License-Identifier: Apache-2.0

package api

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"tocsin/incident"
)

// exported bounds the evidence, and the moments of the timeline, of an export.
const exported = 1000

// mostRecords bounds the bytes of the records that one answer is made of: a page that reaches it is the last.
const mostRecords = 64 << 20

const markdown = "text/markdown; charset=utf-8"

type exportOutput struct {
	ContentType string `header:"Content-Type"`
	Disposition string `header:"Content-Disposition"`
	Body        []byte
}

func (s *server) registerExport(h huma.API) {
	huma.Register(h, huma.Operation{
		OperationID: "export-incident", Method: http.MethodGet, Path: "/api/v1/incidents/{id}/export", Summary: "An incident as a file",
		Description: "With the earliest 1,000 pieces of evidence (about 64 MiB of records) and moments of the timeline, and whether there are more: as JSON, as Markdown for people, or as an Incident Finding (class 2005) of OCSF 1.3.",
		Responses: map[string]*huma.Response{"200": {Description: "OK", Content: map[string]*huma.MediaType{
			"application/json": {Schema: &huma.Schema{Type: huma.TypeObject}}, markdown: {Schema: &huma.Schema{Type: huma.TypeString}},
		}}},
	}, func(ctx context.Context, in *struct {
		ID     string `path:"id" pattern:"^[0-9a-f]{32}$"`
		Format string `query:"format" enum:"json,markdown,ocsf" default:"json"`
	}) (*exportOutput, error) {
		x, err := s.export(ctx, in.ID)
		if err != nil {
			return nil, failed(err)
		}
		out := &exportOutput{ContentType: "application/json"}
		end := "json"
		switch in.Format {
		case "markdown":
			out.ContentType, end = markdown, "md"
			out.Body = []byte(x.Markdown())
		case "ocsf":
			end = "ocsf.json"
			out.Body, err = indented(x.OCSF(s.Version))
		default:
			out.Body, err = indented(x)
		}
		if err != nil {
			return nil, fmt.Errorf("export %s: %w", in.ID, err)
		}
		out.Disposition = fmt.Sprintf(`attachment; filename="incident-%s.%s"`, in.ID[:8], end)
		return out, nil
	})
}

func (s *server) export(ctx context.Context, id string) (x incident.Export, err error) {
	if x.Incident, err = s.Backend.Incident(ctx, id); err != nil {
		return x, err
	}
	if x.Evidence, x.MoreEvidence, err = s.evidence(ctx, id, exported); err != nil {
		return x, err
	}
	x.Timeline = []incident.Moment{}
	for cursor := ""; ; {
		items, next, err := s.Backend.Timeline(ctx, id, incident.TimelineFilter{Limit: 500, Cursor: cursor})
		if err != nil {
			return x, err
		}
		x.Timeline = append(x.Timeline, items...)
		if cursor = next; next == "" || len(x.Timeline) >= exported {
			x.MoreTimeline = next != ""
			return x, nil
		}
	}
}

func indented(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	err := enc.Encode(v)
	return b.Bytes(), err
}
