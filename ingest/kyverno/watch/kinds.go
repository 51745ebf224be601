// SPDX-License-Identifier: Apache-2.0

package watch

import (
	"context"
	"fmt"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"tocsin/ingest/kyverno"
)

// kind is one resource to watch (protocols.md 2.1, 2.3).
type kind struct {
	// name is a part of the keys under which its objects are remembered: it never changes.
	name            string
	group, resource string
	// version is the one that this was written for; another is taken only if it is not there.
	version  string
	selector string
	events   bool
}

// String is the kind's name as kubectl has it.
func (k kind) String() string { return k.resource + "." + k.group }

// kinds are the two families of reports, and the Events of blocked admissions. Ephemeral reports are left
// out: they are Kyverno's own drafts (protocols.md 2.2).
func kinds() []kind {
	return []kind{
		{name: "polr", group: "wgpolicyk8s.io", resource: "policyreports", version: "v1alpha2"},
		{name: "cpolr", group: "wgpolicyk8s.io", resource: "clusterpolicyreports", version: "v1alpha2"},
		{name: "rep", group: "openreports.io", resource: "reports", version: "v1alpha1"},
		{name: "crep", group: "openreports.io", resource: "clusterreports", version: "v1alpha1"},
		{
			name: "event", group: "events.k8s.io", resource: "events", version: "v1",
			selector: "reason=" + kyverno.PolicyViolation + ",reportingController=" + kyverno.AdmissionController, events: true,
		},
	}
}

// discovered is discover, noted.
func (w *Watcher) discovered(ctx context.Context, k kind) (schema.GroupVersionResource, bool, error) {
	gvr, found, err := w.discover(ctx, k)
	switch {
	case err != nil && ctx.Err() == nil:
		w.connected(k, false)
		w.failed(inDiscovery, err)
	case err == nil && !found:
		w.connected(k, true)
	}
	return gvr, found, err
}

// discover finds the version under which a kind is served now. It is false only if the API server says that there is
// none: one that cannot say, as one whose aggregated API is down, is an error.
func (w *Watcher) discover(ctx context.Context, k kind) (schema.GroupVersionResource, bool, error) {
	none := schema.GroupVersionResource{}
	var group metav1.APIGroup
	err := w.discovery.RESTClient().Get().AbsPath("/apis", k.group).Do(ctx).Into(&group)
	if apierrors.IsNotFound(err) {
		return none, false, nil
	}
	if err != nil {
		return none, false, fmt.Errorf("discovery of %s: %w", k.group, err)
	}
	var versions []string
	for _, v := range group.Versions {
		versions = append(versions, v.Version)
	}
	if i := slices.Index(versions, k.version); i > 0 {
		versions = append([]string{k.version}, slices.Delete(versions, i, i+1)...)
	}
	for _, version := range versions {
		gv := schema.GroupVersion{Group: k.group, Version: version}
		list, err := w.discovery.ServerResourcesForGroupVersionWithContext(ctx, gv.String())
		if apierrors.IsNotFound(err) {
			continue
		}
		if err != nil {
			return none, false, fmt.Errorf("discovery of %s: %w", gv, err)
		}
		for i := range list.APIResources {
			if list.APIResources[i].Name == k.resource {
				return gv.WithResource(k.resource), true, nil
			}
		}
	}
	return none, false, nil
}
