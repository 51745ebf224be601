// SPDX-License-Identifier: Apache-2.0

package proof

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"golang.org/x/mod/sumdb/tlog"
)

// The files of a bundle that are more than text to read.
const (
	CheckpointFile = "audit/checkpoint"
	EntriesFile    = "audit/entries.json"
	IncidentFile   = "incident.json"
)

// RawFile is the name of the record of the n'th event, from 1.
func RawFile(n int) string { return fmt.Sprintf("events/%04d.raw", n) }

// EventFile is the name of the n'th event.
func EventFile(n int) string { return fmt.Sprintf("events/%04d.json", n) }

// AuditPart is what a bundle has of the audit log.
type AuditPart struct {
	// Withheld says why there are no entries, "" if they are there.
	Withheld string `json:"withheld,omitempty"`
	// More says that there are others, later ones.
	More    bool     `json:"more"`
	Entries []Proved `json:"entries"`
}

// Verified is what was checked of a bundle.
type Verified struct {
	Incident string
	// Key is the public key that has signed it.
	Key string
	// Files, Events and Entries count what holds; Size is how many entries the checkpoint has, 0 if there is none.
	Files, Events, Entries int
	// Records counts the events whose record is there.
	Records int
	Size    int64
	Audit   AuditPart
	Rule    RulePart
	// Server is empty in bundles of earlier versions.
	Server ServerPart
}

// VerifyBundle checks a bundle: what of it does not hold is in the error. With an empty key the bundle's own is believed, which says
// only that everything was signed by one that has that key.
func VerifyBundle(r io.Reader, key string) (Verified, error) {
	var out Verified
	list, err := Unpack(r)
	if err != nil {
		return out, err
	}
	files := make(map[string][]byte, len(list))
	for _, f := range list {
		files[f.Name] = f.Data
	}
	out.Key = strings.TrimSpace(string(files[keyFile]))
	if key != "" && key != out.Key {
		return out, fmt.Errorf("it was made with the key %q, not with %q", out.Key, key)
	}
	if err := checkManifest(list, out.Key); err != nil {
		return out, err
	}
	out.Files = len(list)
	var x struct {
		Incident struct {
			ID string `json:"id"`
		} `json:"incident"`
	}
	if err := json.Unmarshal(files[IncidentFile], &x); err != nil || x.Incident.ID == "" {
		return out, fmt.Errorf("%s is not that of an incident", IncidentFile)
	}
	out.Incident = x.Incident.ID
	if err := out.checkEvents(files); err != nil {
		return out, err
	}
	for _, check := range []func(map[string][]byte) error{out.checkRule, out.checkServer, out.checkAudit} {
		if err := check(files); err != nil {
			return out, err
		}
	}
	return out, nil
}

// checkManifest checks that the files are those that were signed, each of them and no other.
func checkManifest(list []File, key string) error {
	if len(list) == 0 || list[0].Name != manifestFile {
		return errors.New(manifestFile + " is not its first file")
	}
	text, err := open(string(list[0].Data), key)
	if err != nil {
		return fmt.Errorf("%s: %w", manifestFile, err)
	}
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	if lines[0] != origin {
		return fmt.Errorf("%s: what was signed is not the list of a bundle", manifestFile)
	}
	lines, list = lines[1:], list[1:]
	for i, line := range lines {
		sum, name, _ := strings.Cut(line, "  ")
		if i >= len(list) || list[i].Name != name {
			return fmt.Errorf("%s is missing, or not in its place", name)
		}
		if got := sha256.Sum256(list[i].Data); hex.EncodeToString(got[:]) != sum {
			return fmt.Errorf("%s is not what was signed: its SHA-256 is another", name)
		}
	}
	if len(list) > len(lines) {
		return fmt.Errorf("%s is in it, and was not signed", list[len(lines)].Name)
	}
	return nil
}

// checkEvents checks that each record has the hash that its event names.
func (v *Verified) checkEvents(files map[string][]byte) error {
	for n := 1; files[EventFile(n)] != nil; n++ {
		var e struct {
			SHA256 string `json:"sha256"`
		}
		if err := json.Unmarshal(files[EventFile(n)], &e); err != nil {
			return fmt.Errorf("%s is no event: %w", EventFile(n), err)
		}
		v.Events++
		raw, ok := files[RawFile(n)]
		if !ok {
			continue
		}
		if sum := sha256.Sum256(raw); hex.EncodeToString(sum[:]) != e.SHA256 {
			return fmt.Errorf("%s does not have the SHA-256 that %s names", RawFile(n), EventFile(n))
		}
		v.Records++
	}
	return nil
}

// checkAudit checks each entry's proof against the checkpoint.
func (v *Verified) checkAudit(files map[string][]byte) error {
	if err := json.Unmarshal(files[EntriesFile], &v.Audit); err != nil {
		return fmt.Errorf("%s: %w", EntriesFile, err)
	}
	if v.Audit.Withheld != "" {
		if len(v.Audit.Entries) > 0 {
			return fmt.Errorf("%s has entries, and says that it has none", EntriesFile)
		}
		return nil
	}
	tree, err := Checkpoint(string(files[CheckpointFile]), v.Key)
	if err != nil {
		return fmt.Errorf("%s: %w", CheckpointFile, err)
	}
	v.Size = tree.N
	last := int64(-1)
	for _, e := range v.Audit.Entries {
		if e.Place <= last || e.Place >= tree.N {
			return fmt.Errorf("audit entry %d is not in its place", e.Entry.ID)
		}
		last = e.Place
		if err := tlog.CheckRecord(e.Proof, tree.N, tree.Hash, e.Place, e.Entry.Hash()); err != nil {
			return fmt.Errorf("audit entry %d is not in the tree of the checkpoint: %w", e.Entry.ID, err)
		}
		if !strings.HasPrefix(e.Entry.Object, "/api/v1/incidents/"+v.Incident) {
			return fmt.Errorf("audit entry %d is about %q, not about this incident", e.Entry.ID, e.Entry.Object)
		}
		v.Entries++
	}
	return nil
}
