// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"encoding/json"
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
		Description: "A .tar.gz of what the export has, each record by itself, the rule, and for who may read the audit log (audit:read, no scope) the acts with the incident, " +
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
	rule, text := s.bundledRule(ctx, x.Incident)
	if err := add("rule.json", rule); err != nil {
		return nil, err
	}
	if text != "" {
		files = append(files, proof.File{Name: "rule.yml", Data: []byte(text)})
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
	is := func(b []byte) bool {
		sum := sha256.Sum256(b)
		return hex.EncodeToString(sum[:]) == e.SHA256
	}
	if is(e.Raw) {
		return e.Raw, len(e.Raw) > 0
	}
	var text string
	if err := json.Unmarshal(e.Raw, &text); err != nil {
		return nil, false
	}
	return []byte(text), is([]byte(text))
}

// bundledRule is what a bundle says of the rule.
type bundledRule struct {
	ID string `json:"id"`
	// Revision is the incident's, InForce that of the rule by this id now, "" if there is none.
	Revision string `json:"revision"`
	InForce  string `json:"in_force"`
	File     string `json:"file,omitempty"`
	// SHA256 is that of rule.yml, the rule in force as it is written. Withheld says why that is not there.
	SHA256   string `json:"sha256,omitempty"`
	Withheld string `json:"withheld,omitempty"`
}

func (s *server) bundledRule(ctx context.Context, v incident.View) (bundledRule, string) {
	out := bundledRule{ID: v.Rule.ID, Revision: v.Rule.Revision}
	for _, r := range s.Backend.Rules() {
		if r.ID == v.Rule.ID {
			out.InForce = r.Revision
		}
	}
	if refused := auth.Allow(auth.Of(ctx), "get-rule-source"); refused != nil {
		out.Withheld = refused.Detail
		return out, ""
	}
	src, err := s.Backend.RuleSource(v.Rule.ID)
	if err != nil {
		out.Withheld = "there is no such rule in force"
		return out, ""
	}
	sum := sha256.Sum256([]byte(src.Text))
	out.File, out.SHA256 = src.File, hex.EncodeToString(sum[:])
	return out, src.Text
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
