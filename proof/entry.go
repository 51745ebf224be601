// SPDX-License-Identifier: Apache-2.0

package proof

import (
	"bytes"
	"encoding/json"

	"golang.org/x/mod/sumdb/tlog"

	"tocsin/event"
)

// Entry is an entry of the audit log as the tree has it. What it is called here, and in this order, is in hashes: neither changes.
type Entry struct {
	Actor     string      `json:"actor"`
	At        event.Stamp `json:"at"`
	Finished  event.Stamp `json:"finished"`
	ID        int64       `json:"id"`
	Object    string      `json:"object"`
	Operation string      `json:"operation"`
	Outcome   string      `json:"outcome"`
	Remote    string      `json:"remote"`
	Request   string      `json:"request_id"`
	Status    int         `json:"status"`
	Via       string      `json:"via"`
}

// Leaf returns the bytes that the tree has a hash of: JSON without spaces, names in order.
func (e Entry) Leaf() []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(e); err != nil {
		panic("proof: " + err.Error()) // texts and numbers are always JSON
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

// Hash returns the hash of its leaf.
func (e Entry) Hash() tlog.Hash { return tlog.RecordHash(e.Leaf()) }
