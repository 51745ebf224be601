// SPDX-License-Identifier: Apache-2.0

package stream

import (
	"errors"
	"fmt"
	"regexp"

	"github.com/nats-io/nats.go"
)

// inboxPrefix begins the subjects of answers. Who may read no other inbox than these cannot read what is answered to others;
// who was permitted _INBOX.> may read them as well.
const inboxPrefix = "_INBOX.tocsin"

// RefusedError says which subject NATS does not permit. The request that was refused learns nothing of it and waits for its
// answer in vain, as if NATS were away: so it comes beside the answers, to [ServerConfig].Refused.
type RefusedError struct {
	// Action is publish to or subscribe to.
	Action, Subject string
}

func (e *RefusedError) Error() string {
	return fmt.Sprintf("NATS does not permit its user to %s %q: docs/nats.md has what a user needs", e.Action, e.Subject)
}

var refusal = regexp.MustCompile(`Permissions Violation for (Publish|Subscription) to "([^"]+)"`)

// refused reads what a server says of a subject that is not permitted; ok is false of anything else.
func refused(err error) (e *RefusedError, ok bool) {
	if !errors.Is(err, nats.ErrPermissionViolation) {
		return nil, false
	}
	m := refusal.FindStringSubmatch(err.Error())
	if m == nil {
		return nil, false
	}
	return &RefusedError{map[string]string{"Publish": "publish to", "Subscription": "subscribe to"}[m[1]], m[2]}, true
}
