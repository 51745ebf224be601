// SPDX-License-Identifier: Apache-2.0

package proof

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// Name is the name of keys, and the origin of checkpoints: their first line.
const Name = "tocsin-audit"

// Key signs checkpoints and manifests.
type Key struct {
	signer note.Signer
	public string
}

// NewKey makes a key and returns its secret, as [ParseKey] reads it.
func NewKey() (secret string, err error) {
	secret, public, err := note.GenerateKey(rand.Reader, Name)
	return secret + "\n" + public + "\n", err
}

// ParseKey reads a secret: a note's signer key and, on the next line, its verifier key.
func ParseKey(secret string) (Key, error) {
	lines := strings.Fields(secret)
	if len(lines) != 2 {
		return Key{}, errors.New("a key file has two lines: the secret key, which begins with PRIVATE+KEY+, and the public key")
	}
	signer, err := note.NewSigner(lines[0])
	if err != nil {
		return Key{}, errors.New("the first line is no signer key of a note: PRIVATE+KEY+name+hash+key")
	}
	k := Key{signer, lines[1]}
	// What it signs has to be what is verified with the other.
	msg, err := note.Sign(&note.Note{Text: "a test\n"}, signer)
	if err == nil {
		_, err = open(string(msg), k.public)
	}
	if err != nil {
		return Key{}, fmt.Errorf("the two lines are not of one key: %w", err)
	}
	return k, nil
}

// Public returns the verifier key: who has it can check what the key has signed.
func (k Key) Public() string { return k.public }

// Sign returns the checkpoint of a tree.
func (k Key) Sign(t tlog.Tree) (string, error) {
	return k.sign(fmt.Sprintf("%s\n%d\n%s\n", Name, t.N, base64.StdEncoding.EncodeToString(t.Hash[:])))
}

func (k Key) sign(text string) (string, error) {
	msg, err := note.Sign(&note.Note{Text: text}, k.signer)
	if err != nil {
		return "", fmt.Errorf("sign: %w", err)
	}
	return string(msg), nil
}

// Checkpoint reads a checkpoint that a public key has signed.
func Checkpoint(msg, public string) (tlog.Tree, error) {
	text, err := open(msg, public)
	if err != nil {
		return tlog.Tree{}, fmt.Errorf("checkpoint: %w", err)
	}
	lines := strings.Split(text, "\n")
	if len(lines) != 4 || lines[0] != Name || lines[3] != "" {
		return tlog.Tree{}, errors.New("checkpoint: it does not have the three lines of one")
	}
	n, err := entries(lines[1])
	if err != nil {
		return tlog.Tree{}, err
	}
	h, err := tlog.ParseHash(lines[2])
	if err != nil {
		return tlog.Tree{}, errors.New("checkpoint: its third line is no hash")
	}
	return tlog.Tree{N: n, Hash: h}, nil
}

// LastNote returns the last whole checkpoint of a file to which they are appended, and the text as it is if there is none. What is left of
// one whose writing broke off is none.
func LastNote(text string) string {
	for end := len(text); end > 0; {
		at := strings.LastIndex(text[:end], Name+"\n")
		if at < 0 {
			break
		}
		if at == 0 || text[at-1] == '\n' {
			if note, ok := wholeNote(text[at:]); ok {
				return note
			}
		}
		end = at
	}
	return text
}

// wholeNote returns the note that a text begins with: lines, an empty one, and lines of signatures, the last with its end.
func wholeNote(text string) (string, bool) {
	head, rest, _ := strings.Cut(text, "\n\n")
	signatures := 0
	for strings.HasPrefix(rest[signatures:], "\u2014 ") {
		n := strings.IndexByte(rest[signatures:], '\n')
		if n < 0 {
			break
		}
		signatures += n + 1
	}
	return head + "\n\n" + rest[:signatures], signatures > 0
}

// Claimed returns how many entries a checkpoint says that it has, whoever has signed it.
func Claimed(msg string) (int64, error) {
	lines := strings.Split(msg, "\n")
	if len(lines) < 2 || lines[0] != Name {
		return 0, errors.New("it is no checkpoint: its first line is " + Name)
	}
	return entries(lines[1])
}

func entries(line string) (int64, error) {
	n, err := strconv.ParseInt(line, 10, 64)
	if err != nil || n < 0 || strconv.FormatInt(n, 10) != line {
		return 0, fmt.Errorf("checkpoint: its second line %q is no number of entries", line)
	}
	return n, nil
}

// open returns the text of a note that a public key has signed.
func open(msg, public string) (string, error) {
	v, err := note.NewVerifier(strings.TrimSpace(public))
	if err != nil {
		return "", errors.New("the public key is none: it looks like name+hash+key")
	}
	n, err := note.Open([]byte(msg), note.VerifierList(v))
	if _, other := errors.AsType[*note.UnverifiedNoteError](err); other {
		return "", fmt.Errorf("it is not signed by the key %s", strings.TrimSpace(public))
	}
	if err != nil {
		return "", fmt.Errorf("the signature does not hold: %w", err)
	}
	// What is signed is written in one way: no other signatures, and no bits after the end of this one.
	b, err := base64.StdEncoding.DecodeString(n.Sigs[0].Base64)
	if err != nil || len(n.UnverifiedSigs) > 0 || base64.StdEncoding.EncodeToString(b) != n.Sigs[0].Base64 {
		return "", errors.New("what is signed has something beside the signature")
	}
	return n.Text, nil
}
