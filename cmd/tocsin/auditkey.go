// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

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

func newAuditKeyCommand(c *cli) *cobra.Command {
	var name string
	cmd := &cobra.Command{
		Use: "key --out FILE", Short: "Make a key for audit.key_file, and print its public key", Args: cobra.NoArgs,
		Example: "  tocsin audit key --out audit.key >key.pub",
		RunE: func(*cobra.Command, []string) error {
			if name == "" {
				return &usageError{errors.New("--out names the file that the key is written to")}
			}
			// What an older key has signed can be checked with it alone.
			if _, err := os.Lstat(name); err == nil {
				return fmt.Errorf("%s is there already: a key is not written over", name)
			} else if !errors.Is(err, fs.ErrNotExist) {
				return err
			}
			b, err := makeAuditKey(name)
			if err != nil {
				return fmt.Errorf("audit key: %w", err)
			}
			key, err := proof.ParseKey(string(b))
			if err != nil {
				return err
			}
			fmt.Fprintln(c.stdout, key.Public())
			return nil
		},
	}
	cmd.Flags().StringVar(&name, "out", "", "file for the secret key, which must not be there yet; its mode is 0600")
	return cmd
}
