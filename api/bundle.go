// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"tocsin/api/auth"
	"tocsin/incident"
	"tocsin/proof"
)

// howToVerify is VERIFY.md of every bundle.
//
//go:embed verify.md
var howToVerify []byte

const gzipped = "application/gzip"

func (s *server) registerBundle(h huma.API) {
	huma.Register(h, huma.Operation{
		OperationID: "bundle-incident", Method: http.MethodGet, Path: "/api/v1/incidents/{id}/bundle", Summary: "An incident as an evidence bundle with proof",
		Description: "A .tar.gz of what the export has, each record by itself, the rule in force and as it was when the incident was made, and for who may read the audit log (audit:read, no scope) the acts with the incident, " +
			"with proofs that they are in its tree; every file is named with its SHA-256 in a signed manifest. `tocsin audit verify` checks it offline.",
		Responses: map[string]*huma.Response{"200": {Description: "OK", Content: map[string]*huma.MediaType{
			gzipped: {Schema: &huma.Schema{Type: huma.TypeString, Format: "binary"}},
		}}},
	}, func(ctx context.Context, in *struct {
		ID string `path:"id" pattern:"^[0-9a-f]{32}$"`
	}) (*exportOutput, error) {
		x, err := s.export(ctx, in.ID)
		if err != nil {
			return nil, failed(err)
		}
		if s.Proofs == nil {
			return nil, failed(errNoStore)
		}
		b, err := s.bundle(ctx, x)
		if err != nil {
			return nil, fmt.Errorf("bundle %s: %w", in.ID, err)
		}
		return &exportOutput{
			ContentType: gzipped, Body: b, Disposition: fmt.Sprintf(`attachment; filename="evidence-%s.tar.gz"`, in.ID[:8]),
		}, nil
	})
}

// bundle packs an incident with all that shows what it was made of.
func (s *server) bundle(ctx context.Context, x incident.Export) ([]byte, error) {
	files := []proof.File{{Name: "VERIFY.md", Data: howToVerify}}
	add := func(name string, v any) error {
		b, err := indented(v)
		files = append(files, proof.File{Name: name, Data: b})
		return err
	}
	if err := add(proof.IncidentFile, x); err != nil {
		return nil, err
	}
	for i, e := range x.Evidence {
		if err := add(proof.EventFile(i+1), e); err != nil {
			return nil, err
		}
		if raw, ok := original(e); ok {
			files = append(files, proof.File{Name: proof.RawFile(i + 1), Data: raw})
		}
	}
	for name, kind := range map[string]string{"acts.json": incident.MomentAct, "alerts.json": incident.MomentAlert} {
		moments := []incident.Moment{}
		for _, m := range x.Timeline {
			if m.Kind == kind {
				moments = append(moments, m)
			}
		}
		if err := add(name, moments); err != nil {
			return nil, err
		}
	}
	rule, texts := s.bundledRule(ctx, x.Incident)
	if err := add(proof.RuleFacts, rule); err != nil {
		return nil, err
	}
	files = append(files, texts...)
	if err := add(proof.ServerFile, proof.ServerPart{Version: s.Version, Config: s.Settings}); err != nil {
		return nil, err
	}
	part, checkpoint := s.auditPart(ctx, x.Incident.ID)
	if err := add(proof.EntriesFile, part); err != nil {
		return nil, err
	}
	if checkpoint != "" {
		files = append(files, proof.File{Name: proof.CheckpointFile, Data: []byte(checkpoint)})
	}
	return s.Proofs.Pack(files)
}

// original returns the record of an event as it came in, if what is kept still has the hash that was noted then. Text that was no JSON
// is kept as a JSON string.
func original(e incident.EvidenceItem) ([]byte, bool) {
	is := func(b []byte) bool { return proof.Hex(b) == e.SHA256 }
	if is(e.Raw) {
		return e.Raw, len(e.Raw) > 0
	}
	var text string
	if err := json.Unmarshal(e.Raw, &text); err != nil {
		return nil, false
	}
	return []byte(text), is([]byte(text))
}

// bundledRule returns what a bundle says of the rule of an incident, and its texts: that in force, and if that is another, that which made
// the incident.
func (s *server) bundledRule(ctx context.Context, v incident.View) (proof.RulePart, []proof.File) {
	out := proof.RulePart{ID: v.Rule.ID, Revision: v.Rule.Revision}
	if refused := auth.Allow(auth.Of(ctx), "get-rule-source"); refused != nil {
		out.Withheld = refused.Detail
		for _, r := range s.Backend.Rules() {
			if r.ID == v.Rule.ID {
				out.InForce = r.Revision
			}
		}
		if out.InForce != out.Revision {
			out.Then = &proof.RuleText{Withheld: refused.Detail}
		}
		return out, nil
	}
	var files []proof.File
	text := func(name string, src RuleSource, err error) proof.RuleText {
		if err != nil {
			return proof.RuleText{Withheld: s.noText(v, err)}
		}
		b := []byte(src.Text)
		files = append(files, proof.File{Name: name, Data: b})
		return proof.RuleText{File: src.File, SHA256: proof.Hex(b)}
	}
	src, err := s.Backend.RuleSource(v.Rule.ID)
	now := text(proof.RuleFile, src, err)
	out.InForce, out.File, out.SHA256, out.Withheld = src.Revision, now.File, now.SHA256, now.Withheld
	if out.InForce != out.Revision {
		src, err := s.Backend.RuleOf(ctx, v.Rule.ID, v.Rule.Revision)
		then := text(proof.RuleThenFile, src, err)
		out.Then = &then
	}
	return out, files
}

// noText says why a bundle has no text of a rule.
func (s *server) noText(v incident.View, err error) string {
	if errors.Is(err, incident.ErrNotFound) {
		return "there is no such rule in force"
	}
	if gone, ok := errors.AsType[*NoTextError](err); ok {
		return gone.Why
	}
	s.Log.Warn("an evidence bundle has no text of its rule", "incident", v.ID, "rule", v.Rule.ID, "err", err)
	return "it could not be read"
}

// auditPart returns the acts with an incident, each proved, and the checkpoint of the tree that they are in.
func (s *server) auditPart(ctx context.Context, id string) (proof.AuditPart, string) {
	none := proof.AuditPart{Entries: []proof.Proved{}}
	if refused := auth.Allow(auth.Of(ctx), "list-audit"); refused != nil {
		none.Withheld = refused.Detail
		return none, ""
	}
	signed, err := s.Proofs.Seal(ctx)
	if err != nil {
		s.Log.Warn("an evidence bundle has no audit entries", "incident", id, "err", err)
		none.Withheld = "the audit log had no checkpoint that it could be proved by: see GET /api/v1/audit/checkpoint"
		return none, ""
	}
	entries, more, err := s.Proofs.EntriesOf(ctx, signed, id, exported)
	if err != nil {
		s.Log.Warn("an evidence bundle has no audit entries", "incident", id, "err", err)
		none.Withheld = "the audit log could not be read"
		return none, ""
	}
	return proof.AuditPart{More: more, Entries: entries}, signed.Note
}
