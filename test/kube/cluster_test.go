// SPDX-License-Identifier: Apache-2.0

package kube_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	servertesting "k8s.io/apiextensions-apiserver/pkg/cmd/server/testing"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/wait"
	etcdtest "k8s.io/apiserver/pkg/storage/etcd3/testserver"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
)

// nowhere is a kubeconfig of a cluster that is never asked: the API server wants one for delegated authentication.
const nowhere = `apiVersion: v1
kind: Config
clusters: [{name: none, cluster: {server: "http://127.0.0.1:1"}}]
users: [{name: none, user: {}}]
contexts: [{name: none, context: {cluster: none, user: none}}]
current-context: none
`

// cluster is an API server with nothing in it.
type cluster struct {
	t      *testing.T
	ctx    context.Context //nolint:containedctx // that of the test, for its helpers
	access *rest.Config
	client dynamic.Interface
	at     int64
}

func newCluster(t *testing.T, crds ...object) *cluster {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	t.Cleanup(cancel)
	file := filepath.Join(t.TempDir(), "kubeconfig")
	if err := os.WriteFile(file, []byte(nowhere), 0o600); err != nil {
		t.Fatal(err)
	}
	etcd := etcdtest.RunEtcd(t, nil)
	srv := servertesting.StartTestServerOrDie(t, nil, []string{
		"--etcd-prefix", "tocsin", "--etcd-servers", etcd.Endpoints()[0],
		"--authentication-skip-lookup", "--authentication-kubeconfig", file, "--authorization-kubeconfig", file, "--kubeconfig", file,
		"--enable-priority-and-fairness=false", "--shutdown-watch-termination-grace-period=1s",
		"--disable-admission-plugins", "NamespaceLifecycle,MutatingAdmissionWebhook,ValidatingAdmissionWebhook,ValidatingAdmissionPolicy,MutatingAdmissionPolicy",
	}, nil)
	t.Cleanup(srv.TearDownFn)
	access := rest.CopyConfig(srv.ClientConfig)
	access.QPS, access.Burst = 1000, 1000
	access.ContentType = "application/json" // custom resources know no other, and Leases are some here
	client, err := dynamic.NewForConfig(access)
	if err != nil {
		t.Fatal(err)
	}
	c := &cluster{t: t, ctx: ctx, access: access, client: client, at: 1_787_307_330}
	for _, d := range crds {
		c.install(d)
	}
	return c
}

// install creates a definition and waits until objects of it can be created: the API server says so too early.
func (c *cluster) install(crd object) {
	c.t.Helper()
	definitions := c.client.Resource(schema.GroupVersionResource{Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions"})
	if _, err := definitions.Create(c.ctx, &unstructured.Unstructured{Object: crd}, metav1.CreateOptions{}); err != nil {
		c.t.Fatal(err)
	}
	spec := crd["spec"].(object)
	version := spec["versions"].([]any)[0].(object)["name"].(string)
	group, plural := spec["group"].(string), spec["names"].(object)["plural"].(string)
	resource := c.client.Resource(schema.GroupVersionResource{Group: group, Version: version, Resource: plural})
	probe := &unstructured.Unstructured{Object: object{
		"apiVersion": group + "/" + version, "kind": spec["names"].(object)["kind"], "metadata": object{"name": "probe"},
	}}
	in := dynamic.ResourceInterface(resource)
	if spec["scope"] == "Namespaced" {
		in = resource.Namespace("probe")
	}
	c.eventually("create "+plural, func() (bool, error) {
		_, err := in.Create(c.ctx, probe, metav1.CreateOptions{})
		if apierrors.IsNotFound(err) {
			return false, nil
		}
		return true, err
	})
	if err := in.Delete(c.ctx, "probe", metav1.DeleteOptions{}); err != nil {
		c.t.Fatal(err)
	}
}

// uninstall deletes a definition, and with it all objects.
func (c *cluster) uninstall(crd object) {
	c.t.Helper()
	definitions := c.client.Resource(schema.GroupVersionResource{Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions"})
	if err := definitions.Delete(c.ctx, crd["metadata"].(object)["name"].(string), metav1.DeleteOptions{}); err != nil {
		c.t.Fatal(err)
	}
}

func (c *cluster) eventually(what string, ok func() (bool, error)) {
	c.t.Helper()
	if err := wait.PollUntilContextTimeout(c.ctx, 20*time.Millisecond, time.Minute, true, func(context.Context) (bool, error) { return ok() }); err != nil {
		c.t.Fatalf("%s: %v", what, err)
	}
}

// target is where a report of a kind lives.
type target struct {
	group, version, plural, kind, namespace string
}

func (c *cluster) resource(at target) dynamic.ResourceInterface {
	r := c.client.Resource(schema.GroupVersionResource{Group: at.group, Version: at.version, Resource: at.plural})
	if at.namespace == "" {
		return r
	}
	return r.Namespace(at.namespace)
}

// The kinds of reports of the tests, for a resource in namespace shop or in none.
var (
	polr  = target{wgpolicy, "v1alpha2", "policyreports", "PolicyReport", "shop"}
	cpolr = target{wgpolicy, "v1alpha2", "clusterpolicyreports", "ClusterPolicyReport", ""}
	rep   = target{open, "v1alpha1", "reports", "Report", "shop"}
	crep  = target{open, "v1alpha1", "clusterreports", "ClusterReport", ""}

	blocked = target{"events.k8s.io", "v1", "events", "Event", "default"}
)

// verdicts are what policies say of one resource.
type verdicts map[string]string

// write creates or rewrites the report of a resource, as Kyverno does: in place, with a new timestamp on every result.
func (c *cluster) write(at target, name string, says verdicts) {
	c.t.Helper()
	c.at++
	kind := "Pod"
	if at.namespace == "" {
		kind = "Node"
	}
	var list []any
	for policy, verdict := range says {
		source := "kyverno"
		if policy == "falco" {
			source = "Falco"
		}
		list = append(list, object{
			"source": source, "policy": policy, "rule": "r", "result": verdict, "severity": "high", "scored": true,
			"message": verdict + " of " + policy, "timestamp": object{"seconds": c.at, "nanos": int64(0)},
		})
	}
	obj := &unstructured.Unstructured{Object: object{
		"apiVersion": at.group + "/" + at.version, "kind": at.kind,
		"metadata": object{"name": "uid-" + name, "labels": object{"app.kubernetes.io/managed-by": "kyverno"}},
		"scope":    object{"apiVersion": "v1", "kind": kind, "namespace": at.namespace, "name": name, "uid": "uid-" + name},
		"results":  list,
	}}
	_, err := c.resource(at).Create(c.ctx, obj, metav1.CreateOptions{})
	if apierrors.IsAlreadyExists(err) {
		var old *unstructured.Unstructured
		if old, err = c.resource(at).Get(c.ctx, obj.GetName(), metav1.GetOptions{}); err == nil {
			obj.SetResourceVersion(old.GetResourceVersion())
			_, err = c.resource(at).Update(c.ctx, obj, metav1.UpdateOptions{})
		}
	}
	if err != nil {
		c.t.Fatal(err)
	}
}

func (c *cluster) remove(at target, name string) {
	c.t.Helper()
	if err := c.resource(at).Delete(c.ctx, "uid-"+name, metav1.DeleteOptions{}); err != nil {
		c.t.Fatal(err)
	}
}

// block creates an Event as Kyverno's admission controller does.
func (c *cluster) block(name, controller, action, reason string) {
	c.t.Helper()
	_, err := c.resource(blocked).Create(c.ctx, &unstructured.Unstructured{Object: object{
		"apiVersion": "events.k8s.io/v1", "kind": "Event", "metadata": object{"name": name},
		"eventTime": "2026-08-21T10:15:30.123456Z", "type": "Warning", "reason": reason, "action": action, "reportingController": controller,
		"regarding": object{"apiVersion": "kyverno.io/v1", "kind": "ClusterPolicy", "name": "a"},
		"related":   object{"apiVersion": "v1", "kind": "Pod", "namespace": "shop", "name": "web"},
		"note":      "Pod shop/web: [r] fail (blocked); it must not",
	}}, metav1.CreateOptions{})
	if err != nil {
		c.t.Fatal(err)
	}
}
