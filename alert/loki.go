// SPDX-License-Identifier: Apache-2.0

package alert

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/grafana/loki/pkg/push"
	"github.com/klauspost/compress/snappy"
)

// lokiPath is where Loki takes pushes, unless the configured address has a path of its own.
const lokiPath = "/loki/api/v1/push"

// loki pushes each alert as one entry (product.md, 2.6).
//
// Its receivers take alerts in order: the outbox hands out one at a time, the oldest, so a retry
// overtakes nothing. The entry's time is when the alert came into the outbox, which is the same at
// every attempt and therefore lets Loki drop a repetition, and which never goes back while order is kept.
// The time of the event would: an event may be late, and partitions have a clock each. Loki
// refuses for good what is an hour behind its stream.
type loki struct {
	url    string
	tenant string
	// auth is the Authorization header, "" if the address has the credentials or there are none.
	auth string
	// secrets must not be told, also if the receiver's answer does.
	secrets []string
	labels  Labels
	client  *http.Client
	// last is the time of the last entry that was taken. Only the receiver's lane uses it.
	last time.Time
}

// newLoki returns the sender of a receiver that was validated.
func newLoki(r Receiver, g guard) (*loki, error) {
	u, err := url.Parse(r.URL)
	if err != nil {
		return nil, fmt.Errorf("receiver %s: the url is no address", r.Name) // err repeats it
	}
	l := &loki{tenant: r.Tenant, labels: r.Labels, client: newClient(g)}
	user, password := r.User, r.Password
	if u.User != nil {
		user = u.User.Username()
		password, _ = u.User.Password()
		u.User = nil
	}
	switch {
	case r.Token != "":
		l.auth = "Bearer " + r.Token
		l.secrets = []string{r.Token}
	case user != "":
		pair := base64.StdEncoding.EncodeToString([]byte(user + ":" + password))
		l.auth = "Basic " + pair
		l.secrets = []string{pair}
		if password != "" {
			l.secrets = append(l.secrets, password)
		}
	}
	if strings.Trim(u.Path, "/") == "" {
		u.Path = lokiPath
	}
	l.url = u.String()
	return l, nil
}

func (l *loki) send(ctx context.Context, it Item) error {
	said, err := readAlert(it.Body)
	if err != nil {
		return fmt.Errorf("%w: %w", errPermanent, err)
	}
	at := l.stamp(it)
	body, err := encodePush(push.PushRequest{Streams: []push.Stream{{
		Labels: l.labels.of(said),
		Entries: []push.Entry{{
			Timestamp: at, Line: string(it.Body), StructuredMetadata: metadata(it, said),
		}},
	}}})
	if err != nil {
		return fmt.Errorf("%w: %w", errPermanent, err)
	}
	if err := l.post(ctx, body); err != nil {
		return err
	}
	l.last = at
	return nil
}

// stamp is the time of an item's entry. The stores' clocks count milliseconds or microseconds: the item's number
// makes alerts of one instant distinct, in their order. One that was revived, or written while the
// store's clock was set back, is not put behind those that Loki has.
func (l *loki) stamp(it Item) time.Time {
	at := it.Created.Add(time.Duration(it.ID % int64(time.Millisecond)))
	if at.Before(l.last) {
		at = l.last
	}
	return at.UTC()
}

// encodePush is the body of a push: protobuf in snappy's block format.
func encodePush(req push.PushRequest) ([]byte, error) {
	b, err := req.Marshal()
	if err != nil {
		return nil, fmt.Errorf("encode push: %w", err)
	}
	return snappy.Encode(nil, b), nil
}

func (l *loki) post(ctx context.Context, body []byte) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, l.url, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("%w: the url is no address", errPermanent) // err repeats it
	}
	at := time.Now()
	req.Header.Set("Content-Type", "application/x-protobuf")
	req.Header.Set("User-Agent", "tocsin")
	if l.tenant != "" {
		req.Header.Set("X-Scope-OrgID", l.tenant)
	}
	if l.auth != "" {
		req.Header.Set("Authorization", l.auth)
	}
	resp, err := l.client.Do(req)
	if err != nil {
		return fmt.Errorf("push: %w", withoutAddress(err))
	}
	said := answer(resp)
	if resp.StatusCode == http.StatusNoContent {
		return nil
	}
	// Another 2xx is no Loki's: a proxy or a page that took the entry to nowhere. It is tried again and shown.
	err = unwelcome(resp, at)
	if words := words(said, l.secrets...); words != "" && resp.StatusCode == http.StatusBadRequest {
		return fmt.Errorf("%w: %s", err, words)
	}
	return err
}

func (l *loki) close() { l.client.CloseIdleConnections() }
