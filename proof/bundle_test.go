// SPDX-License-Identifier: Apache-2.0

package proof

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"slices"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/tlog"
	"pgregory.net/rapid"
)

const anIncident = "0123456789abcdef0123456789abcdef"

// aBundle returns the files of a bundle: two events, one with its record, and entries of a log.
func aBundle(t testing.TB, k Key) []File {
	t.Helper()
	var f Frontier
	var stored []tlog.Hash
	var entries []Entry
	for i := range int64(5) {
		e := Entry{ID: i + 10, Actor: "ana", Object: "/api/v1/incidents/" + anIncident + "/close"}
		entries, stored = append(entries, e), append(stored, f.Add(e.Hash())...)
	}
	reader := tlog.HashReaderFunc(func(at []int64) (out []tlog.Hash, _ error) {
		for _, i := range at {
			out = append(out, stored[i])
		}
		return out, nil
	})
	part := AuditPart{}
	for _, place := range []int64{1, 3} {
		p, err := tlog.ProveRecord(5, place, reader)
		if err != nil {
			t.Fatal(err)
		}
		part.Entries = append(part.Entries, Proved{Placed{place, entries[place]}, p})
	}
	checkpoint, err := k.Sign(f.Tree())
	if err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(part)
	if err != nil {
		t.Fatal(err)
	}
	raw := []byte(`{"n":1}`)
	sum := sha256.Sum256(raw)
	return []File{
		{"VERIFY.md", []byte("how")}, {IncidentFile, []byte(`{"incident":{"id":"` + anIncident + `"}}`)},
		{EventFile(1), []byte(`{"sha256":"` + hex.EncodeToString(sum[:]) + `"}`)}, {RawFile(1), raw}, {EventFile(2), []byte(`{"sha256":""}`)},
		{RuleFile, []byte("new")}, {RuleThenFile, []byte("old")}, {ServerFile, []byte(`{"version":"v1","config_sha256":"c0"}`)},
		{RuleFacts, []byte(`{"id":"r","revision":"r1","in_force":"r2","sha256":"` + Hex([]byte("new")) + `","then":{"sha256":"` + Hex([]byte("old")) + `"}}`)},
		{EntriesFile, b}, {CheckpointFile, []byte(checkpoint)},
	}
}

func packed(t testing.TB, k Key, files []File) []byte {
	t.Helper()
	b, err := k.Pack(files)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestABundleVerifies(t *testing.T) {
	t.Parallel()
	k := aKey(t)
	files := aBundle(t, k)
	b := packed(t, k, files)
	v, err := VerifyBundle(bytes.NewReader(b), k.Public())
	if err != nil || v.Incident != anIncident || v.Events != 2 || v.Records != 1 || v.Entries != 2 || v.Size != 5 || v.Files != 13 ||
		v.Rule.Then == nil || v.Server != (ServerPart{"v1", "c0"}) {
		t.Errorf("%+v, %v", v, err)
	}
	if !bytes.Equal(b, packed(t, k, files)) {
		t.Error("the same files give other bytes")
	}
	if _, err := VerifyBundle(bytes.NewReader(b), aKey(t).Public()); err == nil || !strings.Contains(err.Error(), "it was made with the key") {
		t.Errorf("with another key: %v", err)
	}
}

// TestABundleHasNoEntryTwiceAndNoTail: what is said twice is one act, and what stands behind the archive was signed by nobody.
func TestABundleHasNoEntryTwiceAndNoTail(t *testing.T) {
	t.Parallel()
	k := aKey(t)
	files := aBundle(t, k)
	for i, f := range files {
		if f.Name == EntriesFile {
			var part AuditPart
			if err := json.Unmarshal(f.Data, &part); err != nil {
				t.Fatal(err)
			}
			part.Entries = append(part.Entries, part.Entries[1])
			b, err := json.Marshal(part)
			if err != nil {
				t.Fatal(err)
			}
			files[i].Data = b
		}
	}
	if _, err := VerifyBundle(bytes.NewReader(packed(t, k, files)), ""); err == nil || !strings.Contains(err.Error(), "audit entry 13 is not in its place") {
		t.Errorf("an entry that is there twice: %v", err)
	}
	zip, err := gzip.NewReader(bytes.NewReader(packed(t, k, aBundle(t, k))))
	if err != nil {
		t.Fatal(err)
	}
	all, err := io.ReadAll(zip)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write(append(all, "and more"...)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := VerifyBundle(&b, ""); err == nil || !strings.Contains(err.Error(), "it goes on after its end") {
		t.Errorf("an archive with a tail: %v", err)
	}
}

// tarred packs files as they are.
func tarred(t testing.TB, files []File) []byte {
	t.Helper()
	b, err := archive(files)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestAnythingThatIsChangedIsFound: whichever byte of whichever file another has, whichever file is missing, is there beside them, or
// has another's place.
func TestAnythingThatIsChangedIsFound(t *testing.T) {
	t.Parallel()
	k := aKey(t)
	whole, err := Unpack(bytes.NewReader(packed(t, k, aBundle(t, k))))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := VerifyBundle(bytes.NewReader(tarred(t, whole)), ""); err != nil {
		t.Fatalf("packed again: %v", err)
	}
	rapid.Check(t, func(r *rapid.T) {
		files := make([]File, len(whole))
		for i, f := range whole {
			files[i] = File{f.Name, bytes.Clone(f.Data)}
		}
		i := rapid.IntRange(0, len(files)-1).Draw(r, "file")
		switch rapid.SampledFrom([]string{"byte", "byte", "byte", "shorter", "missing", "more", "swapped"}).Draw(r, "change") {
		case "byte":
			at := rapid.IntRange(0, len(files[i].Data)-1).Draw(r, "at")
			files[i].Data[at] ^= byte(rapid.IntRange(1, 255).Draw(r, "by"))
		case "shorter":
			files[i].Data = files[i].Data[:len(files[i].Data)-1]
		case "missing":
			files = append(files[:i], files[i+1:]...)
		case "more":
			files = append(files, File{"more.txt", []byte("x")})
		case "swapped":
			j := (i + 1) % len(files)
			files[i].Data, files[j].Data = files[j].Data, files[i].Data
		}
		if v, err := VerifyBundle(bytes.NewReader(tarred(t, files)), ""); err == nil {
			r.Fatalf("it verifies: %+v", v)
		}
	})
}

// TestWhatIsSignedIsChecked: a signed list of files does not make true what is in them.
func TestWhatIsSignedIsChecked(t *testing.T) {
	t.Parallel()
	k := aKey(t)
	for _, tt := range []struct{ name, file, old, new, want string }{
		{"a record", RawFile(1), "1", "2", "events/0001.raw does not have the SHA-256 that events/0001.json names"},
		{"an actor", EntriesFile, "ana", "bob", "audit entry 11 is not in the tree of the checkpoint"},
		{"a place", EntriesFile, `"place":1`, `"place":2`, "audit entry 11 is not in the tree of the checkpoint"},
		{"a place beyond", EntriesFile, `"place":3`, `"place":9`, "audit entry 13 is not in its place"},
		{"a checkpoint", CheckpointFile, "\n5\n", "\n6\n", "audit/checkpoint: checkpoint: the signature does not hold"},
		{"another incident", IncidentFile, anIncident, strings.Repeat("f", 32), "not about this incident"},
		{"no incident", IncidentFile, "id", "no", "incident.json is not that of an incident"},
		{"the rule in force", RuleFile, "new", "newer", "rule.yml does not have the SHA-256 that rule.json names"},
		{"the new rule as the old", RuleThenFile, "old", "new", "rule-then.yml does not have the SHA-256 that rule.json names"},
		{"no word of the rule of then", RuleFacts, `"then"`, `"than"`, "rule.json says that the rule was changed, and nothing of how it was"},
		{"a rule of then without a change", RuleFacts, "r1", "r2", "rule.json speaks of a rule of then, and of no change since"},
		{"a rule that is withheld and there", RuleFacts, `"then":{`, `"then":{"withheld":"x",`, "rule-then.yml is there, and rule.json says why it is not"},
		{"no words about the rule", RuleFacts, `"id"`, `id`, "rule.json: "},
		{"no words about the server", ServerFile, "{", "", "server.json: "},
		{"withheld and there", EntriesFile, `"more"`, `"withheld":"x","more"`, "says that it has none"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			files := aBundle(t, k)
			for i, f := range files {
				if f.Name == tt.file {
					files[i].Data = bytes.Replace(f.Data, []byte(tt.old), []byte(tt.new), 1)
				}
			}
			if _, err := VerifyBundle(bytes.NewReader(packed(t, k, files)), ""); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%v, want %q", err, tt.want)
			}
		})
	}
}

// TestARuleIsThereOrItIsSaidWhyNot: a text that rule.json names is not left out, and bundles that were made before there was a text of then
// are what they were.
func TestARuleIsThereOrItIsSaidWhyNot(t *testing.T) {
	t.Parallel()
	k := aKey(t)
	without := func(names ...string) []byte {
		return packed(t, k, slices.DeleteFunc(aBundle(t, k), func(f File) bool { return slices.Contains(names, f.Name) }))
	}
	if _, err := VerifyBundle(bytes.NewReader(without(RuleThenFile)), ""); err == nil || !strings.Contains(err.Error(), "rule-then.yml is missing, and rule.json does not say why") {
		t.Errorf("%v", err)
	}
	files := aBundle(t, k)
	for i, f := range files {
		if f.Name == RuleFacts {
			files[i].Data = []byte(`{"id":"r","revision":"r1","in_force":"r2","sha256":"` + Hex([]byte("new")) + `"}`)
		}
	}
	earlier := slices.DeleteFunc(files, func(f File) bool { return f.Name == ServerFile || f.Name == RuleThenFile })
	if v, err := VerifyBundle(bytes.NewReader(packed(t, k, earlier)), ""); err != nil || v.Rule.Then != nil || v.Server.Config != "" {
		t.Errorf("one of an earlier version: %+v, %v", v, err)
	}
}

// FuzzVerifyBundle: whatever somebody hands over as a bundle, it is refused or is one, and unpacks nowhere else.
func FuzzVerifyBundle(f *testing.F) {
	k := aKey(f)
	f.Add(packed(f, k, aBundle(f, k)))
	f.Add(tarred(f, []File{{"../x", nil}}))
	f.Add(tarred(f, []File{{"a", nil}, {"a", nil}}))
	f.Fuzz(func(t *testing.T, b []byte) {
		if _, err := VerifyBundle(bytes.NewReader(b), ""); err != nil {
			return
		}
		files, err := Unpack(bytes.NewReader(b))
		if err != nil {
			t.Fatal(err)
		}
		for _, x := range files {
			if strings.Contains(x.Name, "..") || strings.HasPrefix(x.Name, "/") || strings.Contains(x.Name, `\`) {
				t.Errorf("it has %q", x.Name)
			}
		}
	})
}
