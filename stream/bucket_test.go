// SPDX-License-Identifier: Apache-2.0

package stream_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"tocsin/stream"
	"tocsin/stream/natstest"
)

// theirs is a bucket as somebody else may have made it.
func theirs(ctx context.Context, t *testing.T, js jetstream.JetStream, bucket string, change func(*jetstream.StreamConfig)) {
	t.Helper()
	c := jetstream.StreamConfig{
		Name: "KV_" + bucket, Subjects: []string{"$KV." + bucket + ".>"}, Storage: jetstream.FileStorage, Discard: jetstream.DiscardNew,
		MaxMsgsPerSubject: 1, AllowRollup: true, DenyDelete: true, AllowDirect: true, AllowMsgTTL: true,
	}
	change(&c)
	if _, err := js.CreateStream(ctx, c); err != nil {
		t.Fatal(err)
	}
}

// TestBucketsAreRefused: a bucket that somebody else made is used if it keeps what it is told, with its own settings; else
// the setting is named.
func TestBucketsAreRefused(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	c := natstest.Start(t, 1, nil)
	s, err := connect(ctx, t, c, small())
	if err != nil {
		t.Fatal(err)
	}
	js, err := jetstream.New(s.Conn())
	if err != nil {
		t.Fatal(err)
	}
	for setting, change := range map[string]func(*jetstream.StreamConfig){
		"max_age":                 func(c *jetstream.StreamConfig) { c.MaxAge = time.Hour },
		"allow_msg_ttl":           func(c *jetstream.StreamConfig) { c.AllowMsgTTL = false },
		"allow_rollup_hdrs":       func(c *jetstream.StreamConfig) { c.AllowRollup = false },
		"storage":                 func(c *jetstream.StreamConfig) { c.Storage = jetstream.MemoryStorage },
		"retention":               func(c *jetstream.StreamConfig) { c.Retention = jetstream.InterestPolicy },
		"discard":                 func(c *jetstream.StreamConfig) { c.Discard = jetstream.DiscardOld },
		"discard_new_per_subject": func(c *jetstream.StreamConfig) { c.DiscardNewPerSubject = true },
		"max_msgs":                func(c *jetstream.StreamConfig) { c.MaxMsgs = 1000 },
		"max_msgs_per_subject":    func(c *jetstream.StreamConfig) { c.MaxMsgsPerSubject = -1 },
		"max_msg_size":            func(c *jetstream.StreamConfig) { c.MaxMsgSize = 1000 },
		"subjects":                func(c *jetstream.StreamConfig) { c.Subjects = []string{"theirs.>"} },
	} {
		theirs(ctx, t, js, setting, change)
		if _, err := s.KV(ctx, setting, ""); err == nil || !strings.Contains(err.Error(), "bucket "+setting+": "+setting+" ") {
			t.Errorf("%v; want the setting %s", err, setting)
		}
		if err := js.DeleteStream(ctx, "KV_"+setting); err != nil {
			t.Fatal(err)
		}
	}
	theirs(ctx, t, js, "good", func(c *jetstream.StreamConfig) {
		c.Description, c.Compression, c.MaxMsgsPerSubject = "theirs", jetstream.S2Compression, 5
	})
	kv, err := s.KV(ctx, "good", "ours")
	if err != nil {
		t.Fatal(err)
	}
	if rev, err := kv.Put(ctx, "key", []byte("value"), 0); err != nil {
		t.Error(err)
	} else if err := kv.Delete(ctx, "key", rev); err != nil {
		t.Error(err)
	}
	st, err := js.Stream(ctx, "KV_good")
	if err != nil {
		t.Fatal(err)
	}
	if have := st.CachedInfo().Config; have.Description != "theirs" || have.Compression != jetstream.S2Compression || have.MaxMsgsPerSubject != 5 {
		t.Errorf("their settings are gone: %+v", have)
	}
}

// TestSetsThatExpireAreRefused: the bucket of rule Sets is checked, too, when the streams are opened.
func TestSetsThatExpireAreRefused(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	c := natstest.Start(t, 1, nil)
	nc, err := stream.Connect(stream.ServerConfig{URL: c.URL()})
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	theirs(ctx, t, js, "tocsin-sets", func(c *jetstream.StreamConfig) { c.MaxAge = time.Hour })
	if _, err := stream.Open(ctx, nc, small()); err == nil || !strings.Contains(err.Error(), "bucket tocsin-sets: max_age") {
		t.Errorf("Open: %v", err)
	}
}

// TestBucketsFollowTheStreams: when the streams get more replicas, so do the buckets, with what they have; and what was put
// is read where it was put, since another server may not have it yet.
func TestBucketsFollowTheStreams(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	c := natstest.Start(t, 3, nil)
	cfg := small()
	for _, replicas := range []int{1, 3} {
		cfg.Replicas = replicas
		s, err := connect(ctx, t, c, cfg)
		if err != nil {
			t.Fatal(err)
		}
		kv := bucket(ctx, t, s)
		if replicas == 1 {
			if _, err := kv.Put(ctx, "key", []byte("value"), 0); err != nil {
				t.Fatal(err)
			}
		}
		for {
			// A request to a server that is about to lead can be lost.
			attempt, stop := context.WithTimeout(ctx, 2*time.Second)
			value, _, err := kv.Get(attempt, "key")
			stop()
			if err == nil && string(value) != "value" {
				t.Errorf("with %d replicas the value is %q", replicas, value)
			}
			if err == nil {
				break
			}
			if ctx.Err() != nil {
				t.Fatal(err)
			}
		}
		js, err := jetstream.New(s.Conn())
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"KV_tocsin-test", "KV_tocsin-sets"} {
			st, err := js.Stream(ctx, name)
			if err != nil {
				t.Fatal(err)
			}
			if have := st.CachedInfo().Config; have.Replicas != replicas || have.AllowDirect != (replicas == 1) {
				t.Errorf("%s of streams with %d replicas has %d, and any may answer: %t", name, replicas, have.Replicas, have.AllowDirect)
			}
		}
	}
}
