// SPDX-License-Identifier: Apache-2.0

package vectorgrpc

import (
	"encoding/hex"
	"errors"
	"fmt"

	"google.golang.org/protobuf/encoding/protowire"

	"tocsin/event"
	"tocsin/ingest"
	"tocsin/ingest/vector"
)

// refusal says why an event is no Record; reason is the label that quarantine and the metrics use.
type refusal struct {
	reason string
	err    error
}

func (r *refusal) Error() string { return r.reason + ": " + r.err.Error() }

func (r *refusal) Unwrap() error { return r.err }

// record makes the JSON of an EventWrapper. Every error is a *refusal.
func record(wrapper []byte) ([]byte, error) {
	kind, message, err := open(wrapper)
	if err != nil {
		return nil, &refusal{"malformed_protobuf", err}
	}
	switch kind {
	case wrapperLog:
		return logRecord(message)
	case wrapperMetric:
		return nil, &refusal{"metric", errors.New("a metric is no record: let only logs into this sink")}
	case wrapperTrace:
		return nil, &refusal{"trace", errors.New("a trace is no record: let only logs into this sink")}
	default:
		return nil, &refusal{"no_event", errors.New("neither log, metric nor trace")}
	}
}

// open returns the event in a wrapper and which kind it is, 0 if it is none. Of several the last counts.
func open(wrapper []byte) (kind protowire.Number, message []byte, err error) {
	for len(wrapper) > 0 {
		f, rest, err := next(wrapper)
		if err != nil {
			return 0, nil, err
		}
		if f.typ == protowire.BytesType && (f.num == wrapperLog || f.num == wrapperMetric || f.num == wrapperTrace) {
			kind, message = f.num, f.bytes
		}
		wrapper = rest
	}
	return kind, message, nil
}

// logRecord makes the JSON of a Log.
func logRecord(message []byte) ([]byte, error) {
	l, err := readLog(message)
	if err == nil {
		err = l.root()
	}
	if err != nil {
		return nil, refuse(err)
	}
	if l.eventID != "" {
		// Last, so that it stands for a field of the same name.
		text := protowire.AppendTag(nil, valueBytes, protowire.BytesType)
		l.fields = append(l.fields, entry{vector.SourceEventID, protowire.AppendString(text, l.eventID)})
	}
	raw, err := appendObject(make([]byte, 0, len(message)+len(message)/4), l.fields, 1)
	if err != nil {
		return nil, refuse(err)
	}
	return raw, nil
}

var (
	errNoObject = errors.New("the event is no object")
	errTooLarge = fmt.Errorf("more than %d bytes", ingest.MaxRecord)
)

// refuse gives an error its reason: those of the HTTP endpoint, where it has one.
func refuse(err error) *refusal {
	reason := "malformed_protobuf"
	switch {
	case errors.Is(err, errTooLarge):
		reason = "too_large"
	case errors.Is(err, event.ErrDepth):
		reason = "too_deep"
	case errors.Is(err, errNoObject):
		reason = "no_object"
	case errors.Is(err, errTimestamp):
		reason = "malformed_timestamp"
	}
	return &refusal{reason, err}
}

// logMessage is a Log as it is on the wire: nothing in its values has been read yet.
type logMessage struct {
	fields   []entry
	value    []byte
	hasValue bool
	eventID  string
}

func readLog(message []byte) (l logMessage, err error) {
	for len(message) > 0 {
		f, rest, err := next(message)
		if err != nil {
			return l, err
		}
		switch {
		case f.is(logFields, protowire.BytesType):
			e, err := readEntry(f.bytes)
			if err != nil {
				return l, err
			}
			l.fields = append(l.fields, e)
		case f.is(logValue, protowire.BytesType):
			l.value, l.hasValue = f.bytes, true
		case f.is(logMetadata, protowire.BytesType):
			if l.eventID, err = readEventID(f.bytes); err != nil {
				return l, fmt.Errorf("metadata: %w", err)
			}
		}
		message = rest
	}
	return l, nil
}

// root brings the root to the fields. Vector puts an object there and leaves the value out; any other root is the value, and
// the fields are then a filler that its own decoder ignores. A text is the message, as a line of text is on
// the HTTP route.
func (l *logMessage) root() error {
	if !l.hasValue {
		return nil
	}
	kind, err := kindOf(l.value)
	if err != nil {
		return err
	}
	switch kind.num {
	case valueMap:
		l.fields, err = readEntries(kind.bytes)
		return err
	case valueBytes:
		l.fields = []entry{{"message", l.value}}
		return nil
	default:
		return errNoObject
	}
}

// readEventID returns the id that Vector gave the event when a source made it, as the text of a UUID. One of another length
// is none: Vector reads it so.
func readEventID(metadata []byte) (string, error) {
	var id []byte
	for len(metadata) > 0 {
		f, rest, err := next(metadata)
		if err != nil {
			return "", err
		}
		if f.is(metadataEventID, protowire.BytesType) {
			id = f.bytes
		}
		metadata = rest
	}
	if len(id) != 16 {
		return "", nil
	}
	x := hex.EncodeToString(id)
	return x[:8] + "-" + x[8:12] + "-" + x[12:16] + "-" + x[16:20] + "-" + x[20:], nil
}

// withoutMetadata returns a wrapper without the metadata of its event: Vector keeps secrets there, the keys of the source
// that took the event in among them, and quarantine is for people to read. What cannot be walked stays as it is.
func withoutMetadata(wrapper []byte) []byte {
	kind, message, err := open(wrapper)
	if err != nil || kind == 0 {
		return wrapper
	}
	var kept []byte
	for len(message) > 0 {
		f, rest, err := next(message)
		if err != nil {
			return wrapper
		}
		if !isMetadata(kind, f.num) {
			kept = append(kept, message[:len(message)-len(rest)]...)
		}
		message = rest
	}
	return protowire.AppendBytes(protowire.AppendTag(nil, kind, protowire.BytesType), kept)
}

// isMetadata says whether a field of a Log, Metric or Trace is its metadata, in the present or in the old form.
func isMetadata(kind, num protowire.Number) bool {
	switch kind {
	case wrapperLog:
		return num == 3 || num == logMetadata
	case wrapperMetric:
		return num == 19 || num == 21
	default:
		return num == 2 || num == 3
	}
}
