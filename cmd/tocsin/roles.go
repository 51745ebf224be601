// SPDX-License-Identifier: Apache-2.0

package main

import (
	"slices"
	"strings"
)

// The parts that one process can run.
const (
	roleIngest    = "ingest"
	roleMatch     = "match"
	roleCorrelate = "correlate"
	roleAlert     = "alert"
	roleAPI       = "api"
)

var roles = [...]string{roleIngest, roleMatch, roleCorrelate, roleAlert, roleAPI}

// runs reports whether the process runs any of some roles.
func (c *Config) runs(some ...string) bool {
	return slices.Contains(c.Roles, "all") || slices.ContainsFunc(some, func(r string) bool { return slices.Contains(c.Roles, r) })
}

// runsAll reports whether the process runs every role: only such a process can keep to itself.
func (c *Config) runsAll() bool {
	for _, r := range roles {
		if !c.runs(r) {
			return false
		}
	}
	return true
}

// usesStreams reports whether any role reads or writes NATS: all do but alert, which has its work in the store.
func (c *Config) usesStreams() bool { return c.runs(roleIngest, roleMatch, roleCorrelate, roleAPI) }

// usesStore reports whether any role reads or writes the store.
func (c *Config) usesStore() bool { return c.runs(roleCorrelate, roleAlert, roleAPI) }

// readsRules reports whether the process reads rule files and says which Set is in force. The role api does: it is the one that
// people talk to, who reload rules and ask for them there. All others take what it has said from NATS, so that
// rule files need not be on every machine, and those of two machines cannot differ.
func (c *Config) readsRules() bool { return c.runs(roleAPI) }

// validateRoles refuses what the other processes could not work with.
func (c *Config) validateRoles() error {
	for _, r := range c.Roles {
		if r != "all" && !slices.Contains(roles[:], r) {
			return wrongKey("roles", "there is no role %q: they are all, %s", r, strings.Join(roles[:], ", "))
		}
	}
	switch these := strings.Join(c.Roles, ", "); {
	case len(c.Roles) == 0:
		return wrongKey("roles", "it names none: leave the key out for all")
	case c.runsAll():
		return nil
	case c.usesStreams() && c.NATS.URL == "":
		return wrongKey("roles", "a process with %s alone meets those with the other roles in NATS, and the embedded one is reachable "+
			"from nowhere else: set nats.url, or run all", these)
	case c.usesStore() && strings.HasPrefix(c.storeURL(), "sqlite:"):
		return wrongKey("roles", "a process with %s alone shares the store with those of the other roles, and SQLite is a file of one "+
			"process: set store.url to a PostgreSQL, or run all", these)
	}
	return nil
}
