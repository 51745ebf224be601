// SPDX-License-Identifier: Apache-2.0

// Package falcogrpc takes alerts from Falco's gRPC output (Falco up to 0.43, protocols.md 1.1).
//
// Falco hands each alert to one client, once, and keeps none: what has been read is committed before more is
// asked for, and a Falco with two clients gives each of them a part. So a [Source] has its Falco to itself.
package falcogrpc
