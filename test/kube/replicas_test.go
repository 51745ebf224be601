// SPDX-License-Identifier: Apache-2.0

package kube_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"tocsin/event"
	"tocsin/ingest/kyverno/watch"
)

// short timings of the Lease, as long as they can tell a leader from a dead one.
func lease(name string) *watch.Lease {
	return &watch.Lease{Namespace: "tocsin", Identity: name, Duration: 2 * time.Second, Renew: time.Second, Retry: 100 * time.Millisecond}
}

// TestTwoReplicas: one of them watches; when it stops the other goes on where it was, and tells nothing again.
func TestTwoReplicas(t *testing.T) {
	c := newCluster(t, policyReports(t), leases())
	n := newTocsin(c)
	one, stopOne := n.watcher(func(cfg *watch.Config) { cfg.Lease = lease("one") })
	n.await(one, "polr")
	two, stopTwo := n.watcher(func(cfg *watch.Config) { cfg.Lease = lease("two") })
	for i := range 5 {
		c.write(polr, fmt.Sprint("web-", i), verdicts{"a": "fail"})
	}
	n.expect("violation a web-0", "violation a web-1", "violation a web-2", "violation a web-3", "violation a web-4")
	select {
	case kind := <-two.ch:
		t.Errorf("the other replica watches %s", kind)
	default:
	}
	stopOne()
	c.write(polr, "web-0", verdicts{"a": "pass"})
	n.expect("resolved a web-0")
	n.await(two, "polr")
	stopTwo()
	n.nothing()
}

// TestTwoWatchAtOnce: a leader that does not know yet that it is none harms nobody. Each that finds itself superseded lists
// anew after a while, and has the last word until the other does.
func TestTwoWatchAtOnce(t *testing.T) {
	c := newCluster(t, policyReports(t))
	c.write(polr, "old", verdicts{"a": "fail"})
	n := newTocsin(c)
	slow := func(cfg *watch.Config) { cfg.Discover = time.Second }
	one, stopOne := n.watcher(slow)
	two, stopTwo := n.watcher(slow)
	n.expect("violation a old at start")
	n.await(one, "polr")
	n.await(two, "polr")
	var want []string
	for i := range 20 {
		c.write(polr, fmt.Sprint("web-", i), verdicts{"a": "fail", "b": "warn"})
		want = append(want, fmt.Sprint("violation a web-", i), fmt.Sprint("violation b web-", i))
	}
	n.expect(want...)
	want = nil
	for i := range 20 {
		c.remove(polr, fmt.Sprint("web-", i))
		want = append(want, fmt.Sprintf("removed a web-%d report_gone", i), fmt.Sprintf("removed b web-%d report_gone", i))
	}
	n.expect(want...)
	stopOne()
	stopTwo()
	n.nothing()
}

// roundTripper is a network that can be told to do something else.
type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// TestExpiredWatch: an API server that has forgotten the version to watch from (410 Gone) is listed anew, and what
// changed meanwhile is told.
func TestExpiredWatch(t *testing.T) {
	c := newCluster(t, policyReports(t))
	n := newTocsin(c)
	var gone atomic.Int64
	settled, stop := n.watcher(func(cfg *watch.Config) {
		cfg.Access.Wrap(func(next http.RoundTripper) http.RoundTripper {
			return roundTripper(func(r *http.Request) (*http.Response, error) {
				if r.URL.Query().Get("watch") != "true" || gone.Add(1) > 3 {
					return next.RoundTrip(r)
				}
				// The first watches see nothing of what comes before they expire.
				c.write(polr, fmt.Sprint("web-", gone.Load()), verdicts{"a": "fail"})
				body := `{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"too old resource version","reason":"Expired","code":410}`
				return &http.Response{
					StatusCode: http.StatusGone, Request: r, Header: http.Header{"Content-Type": {"application/json"}},
					Body: io.NopCloser(bytes.NewBufferString(body)),
				}, nil
			})
		})
	})
	n.await(settled, "polr")
	n.expect("violation a web-1", "violation a web-2", "violation a web-3")
	c.write(polr, "web-4", verdicts{"a": "fail"})
	n.expect("violation a web-4")
	stop()
	n.nothing()
}

// TestDeafWatch: a watch that says nothing, as that of a second replica of a reports-server, is made good by a list.
func TestDeafWatch(t *testing.T) {
	c := newCluster(t, policyReports(t))
	n := newTocsin(c)
	settled, stop := n.watcher(func(cfg *watch.Config) {
		cfg.Relist = 300 * time.Millisecond
		cfg.Access.Wrap(func(next http.RoundTripper) http.RoundTripper {
			return roundTripper(func(r *http.Request) (*http.Response, error) {
				if r.URL.Query().Get("watch") == "true" {
					<-r.Context().Done()
					return nil, r.Context().Err()
				}
				return next.RoundTrip(r)
			})
		})
	})
	n.await(settled, "polr")
	c.write(polr, "web", verdicts{"a": "fail"})
	n.expect("violation a web")
	c.write(polr, "web", verdicts{"a": "pass"})
	n.expect("resolved a web")
	c.remove(polr, "web")
	n.forgotten()
	stop()
	n.nothing()
}

// TestDeathAfterTheCommit: a process that dies between a commit and the note of it commits the same events again, and
// what was mended while it was dead is resolved.
func TestDeathAfterTheCommit(t *testing.T) {
	c := newCluster(t, policyReports(t))
	n := newTocsin(c)
	died := make(chan struct{})
	var dead atomic.Bool
	settled, stop := n.watcher(func(cfg *watch.Config) {
		cfg.Commit = func(ctx context.Context, recs []event.Record) error {
			if dead.Load() {
				return errors.New("dead")
			}
			if err := n.commit.Commit(ctx, recs); err != nil {
				return err
			}
			dead.Store(true)
			close(died)
			return errors.New("dead")
		}
	})
	n.await(settled, "polr")
	c.write(polr, "web", verdicts{"a": "fail"})
	<-died
	stop()
	n.expect("violation a web")
	c.write(polr, "web", verdicts{"a": "pass"})
	settled, stop = n.watcher(nil)
	n.expect("resolved a web")
	n.await(settled, "polr")
	stop()
	n.nothing()
}
