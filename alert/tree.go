// SPDX-License-Identifier: Apache-2.0

package alert

import (
	"fmt"
	"slices"
	"time"
)

// Tree is a node of Alertmanager's tree of routes. An incident goes to the first child that matches, and on from
// one that says continue; if none does the node itself has it. What a child does not say it has from its parent.
type Tree struct {
	Receiver string `yaml:"receiver"`
	// Matchers all have to hold; those of the root are none.
	Matchers []string `yaml:"matchers"`
	Continue bool     `yaml:"continue"`
	// GroupBy and GroupInterval are Alertmanager's words that say nothing here: see validate.
	GroupBy       []string      `yaml:"group_by"`
	GroupInterval time.Duration `yaml:"group_interval"`
	// GroupWait is how long the first telling waits for what comes soon after.
	GroupWait time.Duration `yaml:"group_wait"`
	// RepeatInterval is after what time it is told again that an incident is still open; 0 is never.
	RepeatInterval time.Duration `yaml:"repeat_interval"`
	// MuteTimeIntervals name the times in which nobody is told.
	MuteTimeIntervals []string `yaml:"mute_time_intervals"`
	Routes            []Tree   `yaml:"routes"`
}

// Bounds of a tree.
const (
	maxTreeDepth  = 16
	leastRepeat   = time.Minute
	mostRepeat    = 30 * 24 * time.Hour
	mostGroupWait = time.Hour
)

// Way is how an incident comes to one receiver.
type Way struct {
	Receiver string
	// Path names the nodes that led there, from the root, by their keys: route.routes[1].
	Path string
	Wait time.Duration
	// Repeat is 0 for never.
	Repeat time.Duration
	// Mutes are the times in which this way is closed, by name.
	Mutes []string
}

// node is a Tree that was read.
type node struct {
	Way
	matchers Matchers
	goesOn   bool
	children []node
}

// read compiles a tree under its parent.
func (t Tree) read(at string, parent Way, depth int) (node, error) {
	n := node{Way: parent, goesOn: t.Continue}
	n.Path, n.Mutes = at, t.MuteTimeIntervals
	if depth > maxTreeDepth {
		return n, wrong(at, "a tree is at most %d routes deep", maxTreeDepth)
	}
	if t.Receiver != "" {
		n.Receiver = t.Receiver
	}
	switch {
	case depth == 0 && n.Receiver == "":
		return n, wrong(at+".receiver", "the root has a receiver: what no route takes goes there")
	case depth == 0 && len(t.Matchers) > 0:
		return n, wrong(at+".matchers", "the root takes everything: put matchers on its routes")
	case depth == 0 && t.Continue:
		return n, wrong(at+".continue", "nothing comes after the root")
	case depth == 0 && len(t.MuteTimeIntervals) > 0:
		return n, wrong(at+".mute_time_intervals", "the root is never mute: put the times on its routes")
	case len(t.GroupBy) > 0 && !slices.Equal(t.GroupBy, []string{"..."}) && !slices.Equal(t.GroupBy, []string{"incident"}):
		return n, wrong(at+".group_by", "an incident is a group already, and several are not told as one: leave the key out "+
			"(a rule's by says what becomes one incident)")
	case t.GroupInterval != 0:
		return n, wrong(at+".group_interval", "that an incident grows tells nobody: leave the key out (repeat_interval tells again of one that is open)")
	}
	if t.GroupWait != 0 {
		if err := between(t.GroupWait, time.Second, mostGroupWait); err != nil {
			return n, wrong(at+".group_wait", "%w", err)
		}
		n.Wait = t.GroupWait
	}
	if t.RepeatInterval != 0 {
		if err := between(t.RepeatInterval, leastRepeat, mostRepeat); err != nil {
			return n, wrong(at+".repeat_interval", "%w", err)
		}
		n.Repeat = t.RepeatInterval
	}
	var err error
	if n.matchers, err = ParseMatchers(t.Matchers); err != nil {
		return n, wrong(at+".matchers", "%w", err)
	}
	for i, c := range t.Routes {
		inherited := n.Way
		child, err := c.read(fmt.Sprintf("%s.routes[%d]", at, i), inherited, depth+1)
		if err != nil {
			return n, err
		}
		n.children = append(n.children, child)
	}
	return n, nil
}

// ways returns how an incident with these labels goes on from a node that matches.
func (n node) ways(l LabelSet) []Way {
	var out []Way
	for _, c := range n.children {
		if !c.matchers.Matches(l) {
			continue
		}
		out = append(out, c.ways(l)...)
		if !c.goesOn {
			break
		}
	}
	if len(out) == 0 {
		out = []Way{n.Way}
	}
	return out
}

// each calls fn for a node and all below it.
func (n node) each(fn func(node)) {
	fn(n)
	for _, c := range n.children {
		c.each(fn)
	}
}
