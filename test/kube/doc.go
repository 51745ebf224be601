// SPDX-License-Identifier: Apache-2.0

// Package kube has tests that need a Kubernetes API server: a real one, on a real etcd, both within the test's process
// (protocols.md 2.6). They are a module of their own, so that the API server is no dependency of Tocsin:
//
//	cd test/kube && go test ./...
//
// The schemas of the reports, of Events and of Leases are written here after what protocols.md 2 says of them: this API
// server knows nothing but custom resources.
package kube
