// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"os"

	"tocsin/api/auth"
	"tocsin/store"
)

// startServer is the operation of the audit log's entry that a process began, and systemActor who did that: nobody who asked.
const (
	startServer = "start-server"
	systemActor = "system"
)

// noteStart writes into the audit log that a process with the role api begins, where, of which version and by which configuration,
// before anything can be asked of it.
func (n *node) noteStart(ctx context.Context) error {
	sum, err := n.cfg.sum()
	if err != nil {
		return err
	}
	host, err := os.Hostname()
	if err != nil {
		host = "" // the rest is worth as much without
	}
	_, err = n.store.Record(ctx, store.Entry{
		Actor: systemActor, Operation: startServer, Object: "tocsin " + version + ", config_sha256 " + sum, Remote: host, Outcome: auth.Done,
	})
	return err
}
