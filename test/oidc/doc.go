// SPDX-License-Identifier: Apache-2.0

// Package oidc has tests that need an OpenID provider: a real one, within the test's process, that writes its claims as Keycloak
// does or as Auth0 does, and `tocsin serve` as a process beside it. They are a module of their own, so that the provider is
// no dependency of Tocsin:
//
//	cd test/oidc && go test -count=1 ./...
//
// Tocsin is built when they run, so that what the go tool remembers of an earlier run may be of an earlier Tocsin.
package oidc
