// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"tocsin/pipeline"
	"tocsin/proof"
)

// auditKeyFile is where the key that signs checkpoints is kept, in the data directory.
const auditKeyFile = "audit.key"

// startAuditor reads the key; it signs once the store is there, and what it has signed the anchors are given.
func (n *node) startAuditor() error {
	key, err := auditKey(n.cfg)
	if err != nil {
		return err
	}
	n.auditor = &pipeline.Auditor{
		Store: n.store, Key: key, Metrics: pipeline.NewAuditMetrics(n.reg), Log: n.log.With("part", "audit"), Now: time.Now,
	}
	if list := n.cfg.anchors(); len(list) > 0 {
		n.anchors = &pipeline.Anchors{
			List: list, Newest: func() string { return n.auditor.Standing().Signed.Note },
			Metrics: pipeline.NewAnchorMetrics(n.reg), Log: n.auditor.Log, Now: time.Now,
		}
	}
	return nil
}

// auditKey returns the key of the configured file, which has to be there, else that of the data directory; a first start makes one.
func auditKey(cfg Config) (proof.Key, error) {
	name := cfg.Audit.KeyFile
	if name == "" {
		name = filepath.Join(cfg.Data, auditKeyFile)
	}
	b, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) && cfg.Audit.KeyFile == "" {
		b, err = makeAuditKey(name)
	}
	if err != nil {
		return proof.Key{}, fmt.Errorf("audit key: %w", err)
	}
	key, err := proof.ParseKey(string(b))
	if err != nil {
		return proof.Key{}, &usageError{fmt.Errorf("audit key %s: %w", name, err)}
	}
	return key, nil
}

// makeAuditKey writes a new key: whole, or not at all, since a later start makes no other in its place.
func makeAuditKey(name string) ([]byte, error) {
	secret, err := proof.NewKey()
	if err != nil {
		return nil, err
	}
	dir := filepath.Dir(name)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	f, err := os.CreateTemp(dir, auditKeyFile+".*") // 0600
	if err != nil {
		return nil, err
	}
	_, err = f.WriteString(secret)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), name)
	}
	if err != nil {
		return nil, errors.Join(err, os.Remove(f.Name()))
	}
	return []byte(secret), nil
}
