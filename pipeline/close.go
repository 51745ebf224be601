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
	"tocsin/store"
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
// it in time the incident is returned as it still is: the closing is in the log and will be done. What people merged into it is
// closed with it.
func (c *Closer) Close(ctx context.Context, id string, verdict incident.Verdict, by string) (incident.View, error) {
	place, err := c.Store.Place(ctx, id)
	if err != nil {
		return incident.View{}, err
	}
	switch {
	case place.Joined: // whoever closes a part does not speak of the whole
		return incident.View{}, &incident.MergedError{Into: place.MergedInto}
	case place.MergedInto != "":
		return c.Close(ctx, place.MergedInto, verdict, by)
	}
	if place.Status == incident.Closed {
		if _, err := c.closeParts(ctx, place.Parts, verdict, by); err != nil { // whoever closed it may have died before that
			return incident.View{}, err
		}
		return incident.View{}, ErrClosed
	}
	// The parts with it: whoever dies in between leaves none behind.
	var parts []stream.MatchMsg
	for _, part := range place.Parts {
		at, err := c.Store.Place(ctx, part)
		if err != nil {
			return incident.View{}, err
		}
		parts = append(parts, closing(part, at, verdict, by))
	}
	v, err := c.publish(ctx, id, append(parts, closing(id, place, verdict, by))...)
	if err != nil || v.Status != incident.Closed {
		return v, err
	}
	// By now nothing more can be merged into it. Whoever dies here leaves to a [Finisher] what was meanwhile.
	if place, err = c.Store.Place(ctx, id); err != nil {
		return v, err
	}
	if some, err := c.closeParts(ctx, place.Parts, verdict, by); err != nil || !some {
		return v, err
	}
	return c.Store.Incident(ctx, id)
}

// closing is what closes an incident, in the log.
func closing(id string, place store.Place, verdict incident.Verdict, by string) stream.MatchMsg {
	entry := correlate.Entry{Close: &correlate.Close{
		Rule: place.Rule, Group: place.Group, Incident: id, Verdict: verdict, By: by,
	}}
	// One incident closes once: a second request for it is the same message.
	return stream.MatchMsg{
		Partition: place.Partition, ID: "c/" + strconv.Itoa(place.Partition) + "/" + id,
		Data: correlate.EncodeEntries([]correlate.Entry{entry}),
	}
}

// publish puts closings into the log and waits for that of an incident to show.
func (c *Closer) publish(ctx context.Context, id string, msgs ...stream.MatchMsg) (incident.View, error) {
	if err := c.Streams.PublishMatches(ctx, msgs); err != nil {
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

// closeParts closes what people merged into an incident that is closed, so that nothing new is hidden in it: what comes later opens
// incidents of its own. It reports whether there was any.
func (c *Closer) closeParts(ctx context.Context, parts []string, verdict incident.Verdict, by string) (bool, error) {
	for _, part := range parts {
		place, err := c.Store.Place(ctx, part)
		if err != nil {
			return true, err
		}
		if place.Status == incident.Closed {
			continue
		}
		if _, err := c.publish(ctx, part, closing(part, place, verdict, by)); err != nil {
			return true, fmt.Errorf("its part: %w", err)
		}
	}
	return len(parts) > 0, nil
}
