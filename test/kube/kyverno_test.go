// SPDX-License-Identifier: Apache-2.0

package kube_test

import (
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"tocsin/event"
)

// TestLifeOfAViolation: it begins, is rewritten, is mended, begins again, and goes with its policy or its resource, in
// reports of both families.
func TestLifeOfAViolation(t *testing.T) {
	for _, family := range []struct {
		group       string
		definitions []object
		// ofPods and ofNodes are where the reports of the two are, kinds the watcher's names of them.
		ofPods, ofNodes target
		kinds           [2]string
	}{
		{wgpolicy, []object{policyReports(t), clusterPolicyReports(t)}, polr, cpolr, [2]string{"polr", "cpolr"}},
		{open, []object{reports(t), clusterReports(t)}, rep, crep, [2]string{"rep", "crep"}},
	} {
		t.Run(family.group, func(t *testing.T) {
			c := newCluster(t, family.definitions...)
			n := newTocsin(c)
			settled, stop := n.watcher(nil)
			n.await(settled, family.kinds[0])
			n.await(settled, family.kinds[1])

			c.write(family.ofPods, "web", verdicts{"a": "fail", "b": "pass", "falco": "fail"})
			n.expect("violation a web")
			c.write(family.ofPods, "web", verdicts{"a": "fail", "b": "pass", "falco": "fail"})
			c.write(family.ofNodes, "node-1", verdicts{"a": "warn"})
			n.expect("violation a node-1")
			c.write(family.ofPods, "web", verdicts{"a": "pass", "b": "pass"})
			n.expect("resolved a web")
			c.write(family.ofPods, "web", verdicts{"a": "fail", "b": "error"})
			n.expect("violation a web", "violation b web")
			c.write(family.ofPods, "web", verdicts{"renamed": "fail", "b": "skip"})
			n.expect("removed a web result_gone", "violation renamed web", "removed b web skipped")
			c.remove(family.ofPods, "web")
			c.remove(family.ofNodes, "node-1")
			n.expect("removed renamed web report_gone", "removed a node-1 report_gone")
			n.forgotten()
			stop()
			n.nothing()
			for f, want := range map[event.Field]any{
				event.ClusterName: "prod", event.NamespaceName: "shop", event.PodName: "web", event.PodUID: "uid-web", event.EventSeverity: int64(4),
				event.Timestamp: int64(1_787_307_331_000_000_000), event.Message: "fail of a", event.ObserverName: "kyverno",
			} {
				if got := n.told[0].Get(f); got != want {
					t.Errorf("%s is %v, want %v", f.Name(), got, want)
				}
			}
		})
	}
}

// TestRestart: what is there at the first start is told once and marked; what changed while no process ran is told when
// one does, and not marked.
func TestRestart(t *testing.T) {
	c := newCluster(t, policyReports(t))
	for _, pod := range []string{"old-1", "old-2", "old-3", "old-4"} {
		c.write(polr, pod, verdicts{"a": "fail", "b": "pass"})
	}
	n := newTocsin(c)
	settled, stop := n.watcher(nil)
	n.expect("violation a old-1 at start", "violation a old-2 at start", "violation a old-3 at start", "violation a old-4 at start")
	n.await(settled, "polr")
	c.write(polr, "new", verdicts{"a": "fail"})
	n.expect("violation a new")
	stop()
	n.nothing()
	n.close()

	c.write(polr, "old-1", verdicts{"a": "fail", "b": "pass"})
	c.write(polr, "old-2", verdicts{"a": "pass", "b": "pass"})
	c.write(polr, "old-3", verdicts{"a": "fail", "b": "warn"})
	c.remove(polr, "old-4")
	c.write(polr, "newer", verdicts{"a": "fail"})
	n.open()
	settled, stop = n.watcher(nil)
	n.expect("resolved a old-2", "violation b old-3", "removed a old-4 report_gone", "violation a newer")
	n.await(settled, "polr")
	stop()
	n.nothing()
}

// TestDefinitionsComeAndGo: a CRD that is installed after the start brings news; one that is deleted takes its reports
// with it, also while no process runs.
func TestDefinitionsComeAndGo(t *testing.T) {
	c := newCluster(t)
	n := newTocsin(c)
	settled, stop := n.watcher(nil)
	n.await(settled, "rep")
	n.await(settled, "polr")
	c.install(reports(t))
	c.write(rep, "web", verdicts{"a": "fail"})
	n.expect("violation a web")
	c.uninstall(reports(t))
	n.expect("removed a web report_gone")
	c.eventually("a definition that is gone", func() (bool, error) {
		_, err := c.resource(rep).List(c.ctx, metav1.ListOptions{})
		return apierrors.IsNotFound(err), nil
	})
	c.install(reports(t))
	c.write(rep, "web", verdicts{"a": "fail"})
	n.expect("violation a web")
	stop()
	c.uninstall(reports(t))
	c.eventually("a definition that is gone", func() (bool, error) {
		_, err := c.resource(rep).List(c.ctx, metav1.ListOptions{})
		return apierrors.IsNotFound(err), nil
	})
	_, stop = n.watcher(nil)
	n.expect("removed a web report_gone")
	n.forgotten()
	stop()
	n.nothing()
}

// TestBlockedAdmissions: each is told once, also when the list of a restart has it again; Kyverno's other Events are not.
func TestBlockedAdmissions(t *testing.T) {
	c := newCluster(t, events())
	n := newTocsin(c)
	settled, stop := n.watcher(nil)
	n.await(settled, "event")
	c.block("a.1", "kyverno-scan", "Resource Passed", "PolicyViolation")
	c.block("a.2", "kyverno-admission", "Resource Blocked", "PolicyViolation")
	n.expect("blocked a web")
	stop()
	c.block("a.3", "kyverno-admission", "Resource Blocked", "PolicyApplied")
	c.block("a.4", "kyverno-admission", "Resource Blocked", "PolicyViolation")
	settled, stop = n.watcher(nil)
	n.expect("blocked a web")
	n.await(settled, "event")
	// Events expire: what is remembered of them goes, and nothing is told.
	for _, name := range []string{"a.2", "a.4"} {
		if err := c.resource(blocked).Delete(c.ctx, name, metav1.DeleteOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	n.forgotten()
	stop()
	n.nothing()
	if len(n.told) != 2 || n.told[0].Time != 1_787_307_330_123_456_000 {
		t.Errorf("%d blocked admissions, the first at %d", len(n.told), n.told[0].Time)
	}
}
