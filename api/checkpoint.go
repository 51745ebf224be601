// SPDX-License-Identifier: Apache-2.0

package api

import (
	"cmp"
	"context"
	"encoding/base64"
	"fmt"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
	"golang.org/x/mod/sumdb/tlog"

	"tocsin/event"
	"tocsin/proof"
)

// AuditProofs is what the API needs of the audit log's tree.
type AuditProofs interface {
	// Standing returns the newest checkpoint, and how the last look at the whole log ended.
	Standing() proof.Standing
	// Seal returns a checkpoint of all that is in the log by now.
	Seal(ctx context.Context) (proof.Signed, error)
	// EntriesOf returns entries of a signed tree about an incident, each with its proof, and whether there are more.
	EntriesOf(ctx context.Context, signed proof.Signed, incident string, limit int) ([]proof.Proved, bool, error)
	// Pack signs the files of a bundle and packs them.
	Pack(files []proof.File) ([]byte, error)
	// Extension proves that a signed tree has all that a smaller one has.
	Extension(ctx context.Context, signed proof.Signed, size int64) (tlog.TreeProof, error)
}

// CheckpointView is how the audit log can be verified, and whether it did.
type CheckpointView struct {
	// Size is how many entries the checkpoint is of, 0 before the first; Root is the hash of their tree, as base64.
	Size int64  `json:"size"`
	Root string `json:"root"`
	// Checkpoint is the signed note: origin, size, root, signature.
	Checkpoint string      `json:"checkpoint"`
	SignedAt   event.Stamp `json:"signed_at"`
	PublicKey  string      `json:"public_key"`
	// CheckedAt is when this process last read the whole log again and compared it with a checkpoint, Problem what did not verify then.
	CheckedAt event.Stamp `json:"checked_at"`
	Problem   string      `json:"problem"`
	// Consistency are the hashes which prove that the tree of since is the beginning of this one, as base64; without since, none.
	Consistency []string `json:"consistency"`
}

func (s *server) registerCheckpoint(h huma.API) {
	huma.Register(h, huma.Operation{
		OperationID: "get-audit-checkpoint", Method: http.MethodGet, Path: "/api/v1/audit/checkpoint", Summary: "The newest signed checkpoint of the audit log",
		Description: "The root of the Merkle tree (RFC 6962) of its entries, signed with Ed25519 by the process that was asked, and whether the log verified when it was last read again.",
	}, func(ctx context.Context, in *struct {
		Since int64 `query:"since" minimum:"0" doc:"size of an earlier checkpoint: prove that it is the beginning of this one"`
	}) (*one[CheckpointView], error) {
		if s.Proofs == nil {
			return nil, failed(errNoStore)
		}
		st := s.Proofs.Standing()
		if st.Signed.Note == "" || in.Since > st.Signed.Tree.N { // another may have signed what this one has not looked at yet
			var err error
			if st.Signed, err = s.Proofs.Seal(ctx); err != nil {
				s.Log.Warn("the audit log has no new checkpoint", "err", err)
				p := problem(http.StatusServiceUnavailable, "no checkpoint can be signed: "+cmp.Or(st.Problem, "the store does not answer, or the log is not what was signed before"))
				return nil, huma.ErrorWithHeaders(p, http.Header{"Retry-After": {"60"}})
			}
		}
		v := CheckpointView{
			Size: st.Signed.Tree.N, Root: base64.StdEncoding.EncodeToString(st.Signed.Tree.Hash[:]), Checkpoint: st.Signed.Note, PublicKey: st.Signed.Key,
			SignedAt: event.Stamp(st.Signed.At), CheckedAt: event.Stamp(st.Checked), Problem: st.Problem, Consistency: []string{},
		}
		if in.Since > v.Size {
			return nil, problem(http.StatusUnprocessableEntity, fmt.Sprintf("since: the newest checkpoint has %d entries: the audit log has lost what came after, or is another", v.Size))
		}
		if in.Since > 0 {
			hashes, err := s.Proofs.Extension(ctx, st.Signed, in.Since)
			if err != nil {
				return nil, failed(err)
			}
			for _, h := range hashes {
				v.Consistency = append(v.Consistency, h.String())
			}
		}
		return &one[CheckpointView]{v}, nil
	})
}
