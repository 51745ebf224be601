// SPDX-License-Identifier: Apache-2.0

package stream

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// bucketPrefix is what the stream of a bucket has before the bucket's name.
const bucketPrefix = "KV_"

// bucket creates a bucket, or checks one that is there and leaves it as its operator has it. It has as many replicas as
// EVENTS, or more. Keys of a bucket that forgets are deleted, and the server forgets that they were.
func (s *Streams) bucket(ctx context.Context, name, description string, forgets bool) (jetstream.KeyValue, error) {
	stream, subject := bucketPrefix+name, "$KV."+name+".>"
	// One that somebody deletes goes on from where it was, as a stream does: the generations of Sets, which engines remember, grow.
	want := jetstream.StreamConfig{
		Name: stream, Description: description, Subjects: []string{subject}, Storage: jetstream.FileStorage,
		FirstSeq: uint64(time.Now().UnixMicro()), Discard: jetstream.DiscardNew, MaxMsgsPerSubject: 1, AllowRollup: true, DenyDelete: true,
	}
	if forgets {
		want.AllowMsgTTL, want.SubjectDeleteMarkerTTL = true, markerTTL
	}
	old, err := s.js.Stream(ctx, stream)
	switch {
	case err == nil:
		want = old.CachedInfo().Config
		if err := kept(want, subject, forgets); err != nil {
			return nil, fmt.Errorf("bucket %s: %w", name, err)
		}
	case !errors.Is(err, jetstream.ErrStreamNotFound):
		return nil, fmt.Errorf("bucket %s: %w", name, err)
	}
	want.Replicas = max(want.Replicas, s.events.CachedInfo().Config.Replicas, 1)
	// What was put is read again at once, and by others: a server that is behind the leader would say that nothing is
	// there, or what was there before.
	want.AllowDirect = want.Replicas == 1
	st, err := s.js.CreateOrUpdateStream(ctx, want)
	if errors.Is(err, jetstream.ErrStreamNameAlreadyInUse) {
		// Another process has made it meanwhile, with a first sequence of its own.
		return s.bucket(ctx, name, description, forgets)
	}
	if err != nil {
		return nil, fmt.Errorf("bucket %s: %w", name, err)
	}
	// A server that does not know a setting makes the bucket without it.
	if err := kept(st.CachedInfo().Config, subject, forgets); err != nil {
		return nil, fmt.Errorf("bucket %s: %w", name, err)
	}
	kv, err := s.js.KeyValue(ctx, name)
	if err != nil {
		return nil, fmt.Errorf("bucket %s: %w", name, err)
	}
	return kv, nil
}

// kept names the first setting of a bucket's stream with which a value could be lost, or a key not be deleted.
func kept(c jetstream.StreamConfig, subject string, forgets bool) error {
	switch {
	case c.MaxAge > 0:
		return fmt.Errorf("max_age (the bucket's TTL) is %s, it must be unlimited: what is remembered has no end of its own", c.MaxAge)
	case c.Discard != jetstream.DiscardNew:
		return errors.New("discard is old, it must be new: else a full bucket forgets")
	case c.DiscardNewPerSubject:
		return errors.New("discard_new_per_subject is on, it must be off: else no value can be replaced")
	case c.MaxMsgsPerSubject < 1:
		return errors.New("max_msgs_per_subject (the bucket's history) is unlimited, it must be at least 1: else every value that ever was is kept")
	case forgets && !c.AllowMsgTTL:
		return errors.New("allow_msg_ttl (the bucket's limit markers) is off, it must be on: else no key can be deleted")
	case forgets && !c.AllowRollup:
		return errors.New("allow_rollup_hdrs is off, it must be on: else no key can be deleted")
	}
	return lasting(c, subject)
}
