// SPDX-License-Identifier: Apache-2.0

package ingest

import (
	"errors"
	"path"
	"slices"

	"tocsin/event"
	"tocsin/ingest/audit"
	"tocsin/ingest/falco"
	"tocsin/ingest/kyverno"
	"tocsin/ingest/plain"
	"tocsin/ingest/vector"
)

// Malformed says why a record is no Event. It is the reason in quarantine.
type Malformed struct {
	// Reason is a short label, for metrics.
	Reason string
	Err    error
}

func (m *Malformed) Error() string { return m.Reason + ": " + m.Err.Error() }

func (m *Malformed) Unwrap() error { return m.Err }

// ContainerMatch names containers by globs of their namespace and name, or files by a glob of their path; an empty one
// matches all.
type ContainerMatch struct {
	Namespace string `yaml:"namespace" json:"namespace"`
	Container string `yaml:"container" json:"container"`
	File      string `yaml:"file" json:"file"`
}

func (c ContainerMatch) matches(o vector.Origin) bool {
	return glob(c.Namespace, o.Namespace) && glob(c.Container, o.Container) && glob(c.File, o.File)
}

func glob(pattern, s string) bool {
	if pattern == "" {
		return true
	}
	ok, err := path.Match(pattern, s)
	return ok && err == nil
}

// ParserConfig says what parsers may believe. All replicas must have the same.
type ParserConfig struct {
	// FalcoFrom lists the containers whose `message` may be read as Falco's JSON. A pod can print
	// anything: by default none is believed.
	FalcoFrom []ContainerMatch
	// JSONFrom lists the containers whose `message` is read as JSON of the application's own fields.
	JSONFrom []ContainerMatch
	// AuditFrom lists the files or containers whose `message` is the audit log of a Kubernetes API server.
	AuditFrom []ContainerMatch
	// Claims bound what is read again, see [Parser.Again]; nil is no bound.
	Claims *Claims
}

// Parser turns Records into Events.
type Parser struct{ cfg ParserConfig }

// NewParser returns a parser.
func NewParser(cfg ParserConfig) *Parser { return &Parser{cfg} }

// Parse makes an Event of a Record. arrival is the stream's time, Unix nanoseconds. The error
// is a [*Malformed].
func (p *Parser) Parse(rec event.Record, arrival int64) (*event.Event, error) {
	e := new(event.Event)
	if err := p.ParseInto(e, rec, arrival); err != nil {
		return nil, err
	}
	return e, nil
}

// Panicked is why a record is in quarantine of which reading it ended in a panic.
const Panicked = "parser_panic"

// ParseInto is Parse into the memory of an Event that is no longer needed.
func (p *Parser) ParseInto(e *event.Event, rec event.Record, arrival int64) error {
	var err error
	if bug := event.Guard(func() { err = p.parse(e, rec, arrival) }); bug != nil {
		*e = event.Event{} // its memory may be half written
		return &Malformed{Reason: Panicked, Err: bug}
	}
	if err != nil {
		reason := "malformed_" + rec.Source
		if errors.Is(err, event.ErrDepth) {
			reason = "too_deep"
		}
		return &Malformed{Reason: reason, Err: err}
	}
	return nil
}

func (p *Parser) parse(e *event.Event, rec event.Record, arrival int64) error {
	switch rec.Source {
	case "falco":
		return falco.Parse(e, rec, arrival)
	case kyverno.Source:
		return kyverno.Parse(e, rec, arrival)
	case "vector":
		return vector.Parse(e, rec, arrival, p)
	case "audit", "kubernetes-audit":
		return audit.Parse(e, rec, arrival)
	default:
		return plain.Parse(e, rec, arrival)
	}
}

// isAudit reports whether a source is a Kubernetes API server's audit log.
func isAudit(source string) bool { return source == "audit" || source == "kubernetes-audit" }

// Trust says what the `message` of a record from there may be read as.
func (p *Parser) Trust(o vector.Origin) vector.Trust {
	listed := func(list []ContainerMatch) bool {
		return slices.ContainsFunc(list, func(c ContainerMatch) bool { return c.matches(o) })
	}
	return vector.Trust{Falco: listed(p.cfg.FalcoFrom), JSON: listed(p.cfg.JSONFrom), Audit: listed(p.cfg.AuditFrom)}
}
