// SPDX-License-Identifier: Apache-2.0

// Package vectorgrpc is the input for Vector's native sink: the gRPC service vector.Vector with PushEvents
// and HealthCheck (protocols.md 3.4).
//
// It makes a Record of each log event: the JSON that Vector's http sink would send for it, with
// the id that Vector gave the event beside it. So the parser of package ingest/vector reads both routes, and what is
// stored and replayed needs no protobuf. The messages are read by hand, field by field: an event that
// cannot be read costs itself and not its batch, which a generated decoder could not give.
//
// It promises what the HTTP endpoint promises (protocols.md 3.2). OK means that every event of the request is on disk
// or in quarantine. While the stream does not accept, the answer is one that Vector sends again
// for. An answer for which Vector drops the batch is given only for a wrong token and for what is no request.
package vectorgrpc
