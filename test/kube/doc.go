// SPDX-License-Identifier: Apache-2.0

// Package kube has tests that need a Kubernetes API server: a real one, on a real etcd, both within the test's process
// (protocols.md 2.6). They are a module of their own, so that the API server is no dependency of Tocsin:
//
//	cd test/kube && go test ./...
//
// The definitions of reports are those that clusters have, read from the Go modules of their authors: reports-api of
// openreports and wg-policy-prototypes of Kubernetes. This API server knows nothing but custom resources: Events and
// Leases are stand-ins, after protocols.md 2.3 and 2.6.
package kube
