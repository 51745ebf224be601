// SPDX-License-Identifier: Apache-2.0

// Package helm has the tests of the chart in deploy/helm and of the Dockerfile. Helm's own library lints and renders; what comes of
// it is read, defaulted and validated by the code with which the API server does that; and the tocsin.yaml in it goes to a
// tocsin that was built for it. They are a module of their own, so that none of that is a dependency of Tocsin:
//
//	cd test/helm && go test -count=1 ./...
package helm
