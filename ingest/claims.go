// SPDX-License-Identifier: Apache-2.0

package ingest

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"tocsin/event"
)

// ForeignCluster is why a record is in quarantine that says it is of a cluster that is not its sender's.
const ForeignCluster = "foreign_cluster"

// maySay reports whether the sender may say that a record is of a cluster. One that names none claims none.
func (s *Sender) maySay(cluster string) bool {
	return len(s.clusters) == 0 || cluster == "" || slices.Contains(s.clusters, cluster)
}

// Own parts records into those that the sender may send, and those of clusters that are not its own: these are for quarantine, so that nothing of
// a request is lost for what else is in it. A record that is no event goes on: it is found out when it is matched. Who is bounded
// to clusters has its records parsed here and, since parsers are pure, to the same events as later. now is Unix nanoseconds.
func (s *Sender) Own(p *Parser, records []event.Record, now int64) (own []event.Record, foreign []Quarantined) {
	if len(s.clusters) == 0 {
		return records, nil
	}
	var e event.Event
	own = make([]event.Record, 0, len(records))
	for i, rec := range records {
		cluster := ""
		if p.ParseInto(&e, rec, now) == nil {
			cluster, _ = e.Field(event.ClusterName).Str()
		}
		if s.maySay(cluster) {
			own = append(own, rec)
			continue
		}
		rec.Raw = bytes.Clone(rec.Raw)
		foreign = append(foreign, Quarantined{rec, ForeignCluster, fmt.Sprintf("%q may not say that a record is of the cluster %q (record %d of %d): it has %s",
			s.Name, cluster, i+1, len(records), strings.Join(s.clusters, ", "))})
	}
	return own, foreign
}

// Claims says what the senders of records may claim by now, for records that are read long after they were sent: of these the name of the
// sender is known, and the source.
type Claims struct {
	senders []*Sender
	// inputs are our own, which may claim anything.
	inputs []string
	// bounded says that anybody is, open that there are senders without a name.
	bounded, open bool
}

// NewClaims returns the claims of those who have access, and of inputs that are none of theirs.
func NewClaims(access Access, inputs ...string) *Claims {
	a := NewAuthenticator(access)
	c := &Claims{senders: append(a.senders, a.identities...), inputs: inputs, open: len(a.senders) == 0 && len(a.identities) == 0 || access.Certificates && len(a.identities) == 0}
	for _, s := range c.senders {
		c.open = c.open || s.Name == ""
		c.bounded = c.bounded || len(s.clusters) > 0
	}
	return c
}

// check returns a [*Malformed] if the sender of a record may not say what an event of it says. kept is why the record was quarantined: one
// of a foreign cluster is let go only for a sender that is known to have it by now.
func (c *Claims) check(rec event.Record, e *event.Event, kept string) error {
	cluster, _ := e.Field(event.ClusterName).Str()
	if c == nil || cluster == "" || !c.bounded && kept != ForeignCluster {
		return nil
	}
	known := false
	for _, s := range c.senders {
		if s.Name != rec.Input || s.MayPost(rec.Source) != nil {
			continue
		}
		if known = true; s.maySay(cluster) {
			return nil
		}
	}
	if !known && kept != ForeignCluster && (c.open || slices.Contains(c.inputs, rec.Input)) {
		return nil
	}
	return &Malformed{ForeignCluster, fmt.Errorf("no entry of ingest.tokens or ingest.identities lets %q post a record of the cluster %q to the source %q", rec.Input, cluster, rec.Source)}
}
