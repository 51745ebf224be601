// SPDX-License-Identifier: Apache-2.0

package watch

import (
	"context"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/tools/cache"

	"tocsin/ingest/kyverno"
)

// lister lists and watches a kind. It always asks for what is true now: a list from an API server's cache may be older
// than what is remembered, and would tell the past as news. It does without the streamed list, which an
// aggregated API server may accept and never finish (protocols.md 2.4).
func (w *Watcher) lister(gvr schema.GroupVersionResource, k kind) cache.ListerWatcher {
	client := w.dynamic.Resource(gvr)
	return noWatchList{&cache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, opts metav1.ListOptions) (runtime.Object, error) {
			opts.FieldSelector = k.selector
			if opts.ResourceVersion == "0" {
				opts.ResourceVersion, opts.ResourceVersionMatch = "", ""
			}
			list, err := client.List(ctx, opts)
			w.asked(ctx, k, err)
			return list, err
		},
		WatchFuncWithContext: func(ctx context.Context, opts metav1.ListOptions) (watch.Interface, error) {
			opts.FieldSelector = k.selector
			events, err := client.Watch(ctx, opts)
			w.asked(ctx, k, err)
			return events, err
		},
	}}
}

// noWatchList tells client-go not to ask for streamed lists.
type noWatchList struct{ *cache.ListWatch }

// IsWatchListSemanticsUnSupported is the question that client-go asks.
func (noWatchList) IsWatchListSemanticsUnSupported() bool { return true }

// listed is what is kept in memory of an object that was listed: a cluster has a report for each of its resources, and
// most of what stands in them is nobody's business here (protocols.md 2.5, "huge reports").
type listed struct {
	metav1.ObjectMeta
	report *kyverno.Report
	event  map[string]any
	// nothing is true of an Event that tells of no blocked admission; unread says why an object is no report.
	nothing bool
	unread  string
}

// slim makes what is kept of an object.
func (k kind) slim(obj any) (any, error) {
	u, ok := obj.(*unstructured.Unstructured)
	if !ok {
		return obj, nil // it is slim already
	}
	o := &listed{ObjectMeta: metav1.ObjectMeta{
		Namespace: u.GetNamespace(), Name: u.GetName(), UID: u.GetUID(), ResourceVersion: u.GetResourceVersion(),
	}}
	if k.events {
		if o.nothing = !kyverno.IsBlocked(u.Object); !o.nothing {
			u.SetManagedFields(nil)
			o.event = u.Object
		}
		return o, nil
	}
	rep, err := kyverno.ReadReport(u.Object)
	if err == nil {
		o.report = &rep
	} else {
		o.unread = err.Error()
	}
	for i := range rep.Results {
		if r := &rep.Results[i]; !r.IsViolation() {
			r.Properties = nil
		}
	}
	return o, nil
}
