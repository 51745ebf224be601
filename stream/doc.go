// SPDX-License-Identifier: Apache-2.0

// Package stream is the backbone: NATS JetStream, embedded or elsewhere.
//
// EVENTS has batches of Records, one message for many; MATCHES the logs of the partitions; QUARANTINE what could
// not be read, with its reason. A publication that returned is on disk, fsynced. Delivery is at
// least once: whoever reads must bear to read twice.
//
// Retention drops the oldest by age and bytes. Nothing here interprets a Record.
package stream
