// SPDX-License-Identifier: Apache-2.0

package stream_test

import (
	"testing"

	"go.uber.org/goleak"
)

// What NATS leaves behind of a server that is shut down while it makes the files of a stream is not ours.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m,
		goleak.IgnoreAnyFunction("github.com/nats-io/nats-server/v2/server.(*fileStore).flushStreamStateLoop"),
		goleak.IgnoreAnyFunction("github.com/nats-io/nats-server/v2/server/ats.Register.func1"))
}
