// SPDX-License-Identifier: Apache-2.0

package stream

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// keeping is how a stream comes to have no more than its retention.
type keeping int

const (
	rolling keeping = iota // the server drops the oldest
	trimmed                // it refuses the newest; see trim.go
)

// ensure creates a stream, or brings its retention up to date and leaves the rest as its operator has it.
func ensure(ctx context.Context, js jetstream.JetStream, name, subject string, k keeping, r Retention, replicas int, meta map[string]string) (jetstream.Stream, error) {
	// A stream that somebody deletes is made anew, and what its sequences were compared with is elsewhere: they go on from
	// where they were, if it took less than a million messages a second.
	want := jetstream.StreamConfig{
		Name: name, Subjects: []string{subject}, Storage: jetstream.FileStorage, FirstSeq: uint64(time.Now().UnixMicro()),
	}
	old, err := js.Stream(ctx, name)
	switch {
	case err == nil:
		want = old.CachedInfo().Config
		if err := promised(want, subject); err != nil {
			return nil, fmt.Errorf("stream %s: %w", name, err)
		}
	case !errors.Is(err, jetstream.ErrStreamNotFound):
		return nil, fmt.Errorf("stream %s: %w", name, err)
	}
	want.Retention, want.Discard = jetstream.LimitsPolicy, jetstream.DiscardOld
	want.MaxAge, want.MaxBytes = r.Age, r.Bytes
	if k == trimmed {
		want.Discard, want.MaxAge = jetstream.DiscardNew, 0
	}
	want.Duplicates = max(want.Duplicates, dedupeWindow)
	want.Replicas = max(want.Replicas, replicas, 1)
	// A message that was acknowledged is read again at once, for evidence: only of one server is the nearest as
	// good as the leader.
	want.AllowDirect = want.Replicas == 1
	if meta != nil {
		all := maps.Clone(meta)
		maps.Copy(all, want.Metadata) // what was chosen before stays
		want.Metadata = all
	}
	var st jetstream.Stream
	if old != nil {
		st, err = js.UpdateStream(ctx, want)
	} else if st, err = js.CreateStream(ctx, want); errors.Is(err, jetstream.ErrStreamNameAlreadyInUse) {
		// Another process has made it meanwhile, with a first sequence of its own.
		return ensure(ctx, js, name, subject, k, r, replicas, meta)
	}
	if api, ok := errors.AsType[*jetstream.APIError](err); ok && api.ErrorCode == noStorageLeft {
		keys := "retention.events.bytes, retention.matches.bytes and retention.quarantine.bytes"
		if name == edgeStream {
			keys = "edge.bytes"
		}
		return nil, fmt.Errorf("stream %s: its retention of %d MiB does not fit on the disk, beside that of the streams before it: set %s lower (%w)",
			name, r.Bytes>>20, keys, err)
	}
	if err != nil {
		return nil, fmt.Errorf("stream %s: %w", name, err)
	}
	return st, nil
}

// noStorageLeft is what a server says to a stream whose bound is more than it may use.
const noStorageLeft = 10047

// promised names the first setting of a stream with which an accepted record could be lost or an equal one be another
// (backbone.md 5).
func promised(c jetstream.StreamConfig, subject string) error {
	if c.MaxMsgsPerSubject > 0 {
		return fmt.Errorf("max_msgs_per_subject is %d, it must be unlimited: a partition's log is one subject", c.MaxMsgsPerSubject)
	}
	return lasting(c, subject)
}

// lasting names the first setting with which a stream, or the stream of a bucket, could lose what it acknowledged.
func lasting(c jetstream.StreamConfig, subject string) error {
	switch {
	case c.Retention != jetstream.LimitsPolicy:
		return fmt.Errorf("retention is %s, it must be limits: else a message goes with its acknowledgement", c.Retention)
	case c.Storage != jetstream.FileStorage:
		return fmt.Errorf("storage is %s, it must be file: else a restart loses what was accepted", c.Storage)
	case c.PersistMode == jetstream.AsyncPersistMode:
		return errors.New("persist_mode is async, it must be default: else an acknowledgement says nothing")
	case c.NoAck:
		return errors.New("no_ack is on, it must be off: else nobody knows what was accepted")
	case c.Sealed:
		return errors.New("sealed is on, it must be off: it takes nothing in")
	case c.MaxMsgs > 0:
		return fmt.Errorf("max_msgs is %d, it must be unlimited: retention is by age and bytes", c.MaxMsgs)
	case c.MaxMsgSize > 0 && c.MaxMsgSize < maxPayload:
		return fmt.Errorf("max_msg_size is %d, it must be unlimited or at least %d", c.MaxMsgSize, maxPayload)
	case c.Mirror != nil || len(c.Sources) > 0:
		return errors.New("it is a mirror or has sources: its sequences are not its own")
	case c.SubjectTransform != nil:
		return errors.New("subject_transform is set, it must not be: messages would not be found")
	case len(c.Subjects) != 1 || c.Subjects[0] != subject:
		return fmt.Errorf("subjects are %v, they must be [%s]", c.Subjects, subject)
	}
	return nil
}
