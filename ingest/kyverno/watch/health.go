// SPDX-License-Identifier: Apache-2.0

package watch

import (
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// What can go wrong of what is asked of the cluster: values of the label of Config.Errors.
const (
	inLease     = "lease"
	inDiscovery = "discovery"
	inWatch     = "watch"
	inReport    = "report"
)

// unhealthy is how everything begins: a number that is not there raises no alarm.
func (w *Watcher) unhealthy() {
	for _, k := range kinds() {
		w.connected(k, false)
	}
	if w.cfg.Errors == nil {
		return
	}
	for _, what := range []string{inLease, inDiscovery, inWatch, inReport} {
		w.cfg.Errors.WithLabelValues(what)
	}
}

// connected notes whether a kind is followed: it is listed and watched, or the cluster is known not to have it.
func (w *Watcher) connected(k kind, yes bool) {
	if w.cfg.Connected == nil {
		return
	}
	value := 0.0
	if yes {
		value = 1
	}
	w.cfg.Connected.WithLabelValues(k.String()).Set(value)
}

// failed notes what went wrong.
func (w *Watcher) failed(what string, err error) {
	if w.cfg.Errors != nil {
		w.cfg.Errors.WithLabelValues(what).Inc()
	}
	if w.cfg.Failed != nil {
		w.cfg.Failed(err)
	}
}

// asked notes how a list or a watch of a kind went. That a version to go on from is forgotten, or that the kind is gone, is
// an answer; a call that ended with its context says nothing.
func (w *Watcher) asked(ctx context.Context, k kind, err error) {
	switch {
	case err == nil:
		w.connected(k, true)
	case ctx.Err() != nil, apierrors.IsNotFound(err), apierrors.IsResourceExpired(err), apierrors.IsGone(err):
	default:
		w.connected(k, false)
		w.cfg.Log.Warn("list or watch", "resource", k.String(), "err", err)
		w.failed(inWatch, fmt.Errorf("list or watch %s: %w", k, err))
	}
}
