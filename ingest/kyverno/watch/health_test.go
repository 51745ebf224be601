// SPDX-License-Identifier: Apache-2.0

package watch_test

import (
	"context"
	"log/slog"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/client-go/rest"

	"tocsin/ingest/kyverno/watch"
)

// patient is a watcher whose health is looked at.
type patient struct {
	t                 *testing.T
	ctx               context.Context //nolint:containedctx // that of the test, for its helpers
	connected, errors prometheus.Collector
	failed            chan error
	settled           chan string
	stop              func()
}

func newPatient(t *testing.T, access *rest.Config, lease *watch.Lease) *patient {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	connected := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "connected"}, []string{"resource"})
	errs := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "errors"}, []string{"what"})
	p := &patient{t: t, ctx: ctx, connected: connected, errors: errs, failed: make(chan error, 1000), settled: make(chan string, 1000)}
	n := newNode(t, access)
	w, err := watch.New(watch.Config{
		Access: access, Store: n.kv, Commit: n.commit, Cluster: "prod", Log: slog.New(slog.DiscardHandler), Lease: lease,
		Relist: 20 * time.Millisecond, Discover: 10 * time.Millisecond, Connected: connected, Errors: errs,
		Failed: func(err error) {
			select {
			case p.failed <- err:
			default: // nobody reads that many
			}
		},
		Settled: func(k string) {
			select {
			case p.settled <- k:
			default: // nobody counts that many
			}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- w.Run(ctx) }()
	p.stop = func() {
		t.Helper()
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	return p
}

// numbers reads what a metric says, by its label.
func (p *patient) numbers(c prometheus.Collector) map[string]float64 {
	p.t.Helper()
	reg := prometheus.NewPedanticRegistry()
	reg.MustRegister(c)
	families, err := reg.Gather()
	if err != nil {
		p.t.Fatal(err)
	}
	out := make(map[string]float64)
	for _, f := range families {
		for _, m := range f.GetMetric() {
			out[m.GetLabel()[0].GetValue()] = m.GetGauge().GetValue() + m.GetCounter().GetValue()
		}
	}
	return out
}

// await waits for an error that says all words, and checks that errors of the kind are counted.
func (p *patient) await(what string, words ...string) {
	p.t.Helper()
	var last error
	for {
		select {
		case err := <-p.failed:
			last = err
			said := true
			for _, w := range words {
				said = said && strings.Contains(err.Error(), w)
			}
			if !said {
				continue
			}
			if p.numbers(p.errors)[what] == 0 {
				p.t.Errorf("%v is not counted as %s: %v", err, what, p.numbers(p.errors))
			}
			return
		case <-p.ctx.Done():
			p.t.Fatalf("no error says %q; the last says %v", words, last)
		}
	}
}

// settles waits until policy reports are listed from now on, and forgets the errors so far.
func (p *patient) settles() {
	p.t.Helper()
	for len(p.settled) > 0 {
		<-p.settled
	}
	for range 2 { // the first may be of a list that was on its way
		for k := ""; k != "polr"; {
			select {
			case k = <-p.settled:
			case <-p.ctx.Done():
				p.t.Fatal("policy reports are never listed")
			}
		}
	}
	for len(p.failed) > 0 {
		<-p.failed
	}
}

// want checks which resources are connected: all but these.
func (p *patient) want(not ...string) {
	p.t.Helper()
	want := map[string]float64{
		"policyreports.wgpolicyk8s.io": 1, "clusterpolicyreports.wgpolicyk8s.io": 1, "reports.openreports.io": 1,
		"clusterreports.openreports.io": 1, "events.events.k8s.io": 1,
	}
	if len(not) == 1 && not[0] == "any" {
		not = nil
		for k := range maps.Keys(want) {
			not = append(not, k)
		}
	}
	for _, k := range not {
		want[k] = 0
	}
	if d := cmp.Diff(want, p.numbers(p.connected)); d != "" {
		p.t.Errorf("connected (-want +got):\n%s", d)
	}
}

// TestHealth: what cannot be listed is not connected and says why; a report that cannot be read is counted and named; what
// the cluster does not have is as good as listed.
func TestHealth(t *testing.T) {
	t.Parallel()
	a, access := newAPI(t)
	a.serve(results("fail"))
	a.set(list, "403")
	p := newPatient(t, access, nil)
	p.await("watch", "list or watch policyreports.wgpolicyk8s.io", "Forbidden")

	a.serve(results("fail"))
	p.settles()
	p.want()
	a.set(list, "403")
	p.await("watch", "Forbidden")
	p.want("policyreports.wgpolicyk8s.io")

	a.serve(`"garbage"`)
	p.await("report", "policyreports.wgpolicyk8s.io shop/u-1", "not a policy report")
	p.want()

	a.set(version, "503")
	for p.numbers(p.connected)["clusterpolicyreports.wgpolicyk8s.io"]+p.numbers(p.connected)["policyreports.wgpolicyk8s.io"] > 0 {
		p.await("discovery", "discovery of wgpolicyk8s.io")
	}
	p.want("policyreports.wgpolicyk8s.io", "clusterpolicyreports.wgpolicyk8s.io")

	a.serve(results("fail"))
	p.settles()
	p.stop()
	p.want("any")
}

// TestHealthWithoutLease: a replica that may not have the Lease says so, and all is as if it was not connected.
func TestHealthWithoutLease(t *testing.T) {
	t.Parallel()
	a, access := newAPI(t)
	a.serve(results("fail"))
	a.set("/apis/coordination.k8s.io/v1/namespaces/tocsin/leases/tocsin-kyverno", "403")
	p := newPatient(t, access, &watch.Lease{Namespace: "tocsin"})
	p.await("lease", "lease tocsin/tocsin-kyverno", "Forbidden")
	p.want("any")
	p.stop()
}
