// SPDX-License-Identifier: Apache-2.0

// Package sigma reads Sigma (specification 2.1.0): detection rules, correlations and filters. A detection becomes a
// condition of package pred; what a correlation means is up to the rules package, which knows windows. What cannot be
// honoured is an error, never left out in silence (detection.md S1).
package sigma
