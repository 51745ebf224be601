// SPDX-License-Identifier: Apache-2.0

package alert

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"tocsin/incident"
)

// Silence is one that is in force.
type Silence struct {
	ID       string
	Matchers []string
	Ends     time.Time
}

// Terms say how an alert is told.
type Terms struct {
	// Anew says that it is told of the incident as it is when it is told.
	Anew bool `json:"anew,omitempty"`
	// Repeat is after what time it is told again that the incident is still open, 0 for never.
	Repeat time.Duration `json:"repeat,omitempty"`
	// Mutes name the times in which it is not told.
	Mutes []string `json:"mutes,omitempty"`
}

// String writes terms as [ReadTerms] reads them; those of most alerts are "".
func (t Terms) String() string {
	if !t.Anew && t.Repeat == 0 && len(t.Mutes) == 0 {
		return ""
	}
	b, err := json.Marshal(t)
	if err != nil {
		panic("alert: " + err.Error()) // it has numbers and booleans alone
	}
	return string(b)
}

// ReadTerms reads terms. Those that cannot be read, of a later version, are none: the alert is told at once.
func ReadTerms(s string) Terms {
	var t Terms
	if s == "" || json.Unmarshal([]byte(s), &t) != nil {
		return Terms{}
	}
	return t
}

// CheckSilence says what is wrong with a silence.
func CheckSilence(matchers []string, comment string, starts, ends time.Time) (Matchers, error) {
	ms, err := ParseMatchers(matchers)
	switch {
	case err != nil:
		return nil, err
	case len(ms) == 0:
		return nil, errors.New("matchers: a silence has at least one, as in rule=\"shell-in-pod\"")
	case ms.matchesNothing():
		return nil, errors.New(`matchers: these match every incident that says nothing of their labels: one has to ask for something, as in severity="low"`)
	case comment == "":
		return nil, errors.New("comment: say why, for who wonders later")
	case len(comment) > 4096:
		return nil, errors.New("comment: at most 4096 bytes")
	case !ends.After(starts):
		return nil, errors.New("ends: it ends before it starts")
	case ends.Sub(starts) > 366*24*time.Hour:
		return nil, errors.New("ends: at most a year after the start: what is to be never told has a route, or an exception in its rule")
	}
	return ms, nil
}

// overReason is why what was silenced, or was to be told again, is not told any more.
const overReason = "the incident is over"

// admit says whether an item is told now. What is not told is kept in the outbox, with what silenced it. It may change the item: what
// waited is told of the incident as it is now.
//
// A silence is judged when an alert is about to be told, so that one made now holds for what waits, and what it held back is told when it
// ends, if the incident is still open. That an incident is over is told to those who heard of it, silence or not: else they would keep it
// open for ever.
func (d *Deliverer) admit(ctx context.Context, it *Item) (told bool, err error) {
	silences, err := d.outbox.Silences(ctx)
	if err != nil {
		return false, err
	}
	waited := it.SilencedBy != "" || it.Terms.Anew || len(it.Body) == 0
	if it.Kind.over() || it.Kind == Acknowledged {
		heard, hushed, err := d.outbox.Heard(ctx, it.Incident, it.Receiver)
		if err != nil {
			return false, err
		}
		if !heard && hushed { // it was kept from the beginning, and does not need the end
			d.silence(ctx, *it, overReason, 0, true)
			return false, nil
		}
		told = heard
	}
	if !waited && (told || len(silences) == 0 && len(d.inhibitions) == 0 && len(it.Terms.Mutes) == 0) {
		return true, nil
	}
	var view incident.View
	if waited {
		if view, err = d.outbox.Incident(ctx, it.Incident); err != nil && !errors.Is(err, incident.ErrNotFound) {
			return false, err
		}
		// What was told at its opening is told even if it is over by now: its end comes after it.
		if over := err != nil || isOver(view); over && (it.SilencedBy != "" || it.Kind == Reminded || it.Kind == Acknowledged) {
			d.silence(ctx, *it, overReason, 0, true)
			return false, nil
		}
	} else {
		a, err := readAbout(it.Body, "")
		if err != nil {
			return true, nil //nolint:nilerr // its sender says what is wrong with it
		}
		view = a.View
	}
	if !told {
		by, after, err := d.heldBack(ctx, *it, LabelsOf(view), silences)
		if err != nil {
			return false, err
		}
		if by != "" {
			// A reminder is not kept: the next one comes.
			d.silence(ctx, *it, by, after, it.Kind != Opened && it.Kind != Detected)
			return false, nil
		}
	}
	switch {
	case !waited:
		return true, nil
	case it.Kind == Detected:
		return d.rewrite(ctx, it, it.Body)
	}
	return d.anew(ctx, it, view)
}

// lookAtMost is how long what is held back waits for the next look at most: what holds it may end, by somebody's hand or a new
// configuration, while that is being noted.
const lookAtMost = 10 * time.Minute

// heldBack returns what keeps an item from being told and for how long at most, "" if nothing does.
func (d *Deliverer) heldBack(ctx context.Context, it Item, labels LabelSet, silences []Silence) (by string, after time.Duration, err error) {
	for _, s := range silences {
		ms, err := ParseMatchers(s.Matchers)
		if err == nil && ms.Matches(labels) { // one in a later version's words silences nothing here
			return "silence " + s.ID, min(max(time.Until(s.Ends), 0)+time.Millisecond, lookAtMost), nil
		}
	}
	for _, name := range it.Terms.Mutes {
		if after := mutedFor(d.mutes[name], time.Now()); after > 0 {
			return "mute time " + name, min(after, lookAtMost), nil
		}
	}
	source, err := d.inhibits(ctx, labels, it.made)
	if err != nil || source == "" {
		return "", 0, err
	}
	// It is looked at again when that one is over; that its labels change, so that it holds nothing back any more, is rare.
	return HeldBackBy + source, lookAtMost, nil
}

// isOver reports whether an incident is closed, retracted or part of another.
func isOver(v incident.View) bool {
	return v.Status == incident.Closed || v.Retracted || v.MergedInto != nil
}

// anew writes the item of the incident as it is now.
func (d *Deliverer) anew(ctx context.Context, it *Item, v incident.View) (bool, error) {
	v.Revision = it.Revision // the key is the item's
	body, err := Body(Message{Kind: it.Kind, Receiver: it.Receiver, Source: d.source, Incident: v, Detection: it.Detection})
	if err != nil {
		return false, fmt.Errorf("write the alert: %w", err)
	}
	return d.rewrite(ctx, it, body)
}

// rewrite writes down what an item that waited says. One that was silenced is as young as a new one: it was not tried meanwhile. It reports
// false if somebody else has the item by now: they tell it, in their words and not in these.
func (d *Deliverer) rewrite(ctx context.Context, it *Item, body []byte) (bool, error) {
	t := it.Terms
	t.Anew = false
	if ok, err := d.outbox.Rewrite(ctx, *it, body, t); !ok || err != nil {
		return false, err
	}
	if it.SilencedBy != "" {
		it.Created, it.Age = it.Created.Add(it.Age), 0
	}
	it.Body, it.Terms, it.SilencedBy = body, t, ""
	return true, nil
}

// silence notes that an item is not told for a while, or for good.
func (d *Deliverer) silence(ctx context.Context, it Item, by string, after time.Duration, forGood bool) {
	d.note(ctx, it, func(ctx context.Context) error { return d.outbox.Silence(ctx, it, by, after, forGood) })
	d.delivered.WithLabelValues(it.Receiver, "silenced").Inc()
}
