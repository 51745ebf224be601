// SPDX-License-Identifier: Apache-2.0

package auth

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"encoding/binary"
	"hash/crc32"
	"strings"
)

// prefix begins every token of this server, so that scanners of repositories can find one that leaked.
const prefix = "tocsin_"

// secretBytes is what is random in a token; four bytes of checksum follow.
const secretBytes = 32

func base32Of() *base32.Encoding {
	return base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)
}

// NewSecret returns a new API token and its hash, which alone is kept.
func NewSecret() (secret string, hash []byte) {
	var b [secretBytes + 4]byte
	_, _ = rand.Read(b[:secretBytes]) // it never fails
	binary.BigEndian.PutUint32(b[secretBytes:], crc32.ChecksumIEEE(b[:secretBytes]))
	secret = prefix + base32Of().EncodeToString(b[:])
	return secret, HashOf(secret)
}

// HashOf returns the hash that a secret is found by. It is a plain one: what has 256 random bits cannot be guessed, however fast
// a guess is.
func HashOf(secret string) []byte {
	sum := sha256.Sum256([]byte(secret))
	return sum[:]
}

// wellFormed reports whether a text can be an API token: what was cut or mistyped is known without asking the store.
func wellFormed(secret string) bool {
	text, ok := strings.CutPrefix(secret, prefix)
	if !ok || strings.ContainsAny(text, "\r\n") {
		return false
	}
	b, err := base32Of().DecodeString(text)
	if err != nil || len(b) != secretBytes+4 || base32Of().EncodeToString(b) != text {
		return false
	}
	return binary.BigEndian.Uint32(b[secretBytes:]) == crc32.ChecksumIEEE(b[:secretBytes])
}
