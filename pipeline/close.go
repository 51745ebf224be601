// SPDX-License-Identifier: Apache-2.0

package pipeline

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"tocsin/correlate"
	"tocsin/incident"
	"tocsin/stream"
)

// ErrClosed says that an incident is closed already.
var ErrClosed = errors.New("the incident is closed already")

// Closer closes incidents for people: a closing is a message in the partition's log (I2).
type Closer struct {
	Store   places
	Streams publisher
	// Wait is how long Close waits for the closing to show.
	Wait time.Duration
}

// Close closes an incident and returns it as it is then. If the partition's owner does not get to
// it in time the incident is returned as it still is: the closing is in the log and will be done.
func (c *Closer) Close(ctx context.Context, id string, verdict incident.Verdict, by string) (incident.View, error) {
	place, err := c.Store.Place(ctx, id)
	if err != nil {
		return incident.View{}, err
	}
	if place.MergedInto != "" {
		return c.Close(ctx, place.MergedInto, verdict, by)
	}
	if place.Status == incident.Closed {
		return incident.View{}, ErrClosed
	}
	entry := correlate.Entry{Close: &correlate.Close{
		Rule: place.Rule, Group: place.Group, Incident: id, Verdict: verdict, By: by,
	}}
	// One incident closes once: a second request for it is the same message.
	msg := stream.MatchMsg{
		Partition: place.Partition, ID: "c/" + strconv.Itoa(place.Partition) + "/" + id,
		Data: correlate.EncodeEntries([]correlate.Entry{entry}),
	}
	if err := c.Streams.PublishMatches(ctx, []stream.MatchMsg{msg}); err != nil {
		return incident.View{}, fmt.Errorf("close %s: %w", id, err)
	}
	for end := time.Now().Add(c.Wait); ; {
		v, err := c.Store.Incident(ctx, id)
		if err != nil || v.Status == incident.Closed || time.Now().After(end) {
			return v, err
		}
		if !pause(ctx, 10*time.Millisecond) {
			return v, nil
		}
	}
}
