// SPDX-License-Identifier: Apache-2.0

package alert

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// serveNATS starts a real server with JetStream.
func serveNATS(t *testing.T) *server.Server {
	t.Helper()
	s, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: -1, JetStream: true, StoreDir: t.TempDir(), Username: "tocsin", Password: "hush", NoSigs: true, NoLog: true})
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
	if !s.ReadyForConnections(20 * time.Second) {
		t.Fatal("the server is not ready")
	}
	return s
}

// TestNATSTakesEachAlertOnce: a stream drops a repetition by its key; without a stream whoever listens hears it.
func TestNATSTakesEachAlertOnce(t *testing.T) {
	t.Parallel()
	s := serveNATS(t)
	c, err := nats.Connect(s.ClientURL(), nats.UserInfo("tocsin", "hush"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	js, err := jetstream.New(c)
	if err != nil {
		t.Fatal(err)
	}
	stream, err := js.CreateStream(t.Context(), jetstream.StreamConfig{Name: "ALERTS", Subjects: []string{"alerts.>"}})
	if err != nil {
		t.Fatal(err)
	}
	heard, err := c.SubscribeSync("plain.alerts")
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Flush(); err != nil {
		t.Fatal(err)
	}
	it := mailItem(t, Opened, 1)
	send := func(r Receiver) error {
		t.Helper()
		r.Name, r.Type, r.URL, r.User, r.Password = "bus", NATS, s.ClientURL(), "tocsin", "hush"
		if err := (Config{Receivers: []Receiver{r}}).Validate(); err != nil {
			t.Fatal(err)
		}
		n, err := newNATS(r, Config{})
		if err != nil {
			t.Fatal(err)
		}
		defer n.(interface{ close() }).close()
		ctx, cancel := context.WithTimeout(t.Context(), timeout)
		defer cancel()
		if err := n.send(ctx, it); err != nil {
			return err
		}
		return n.send(ctx, it)
	}
	if err := send(Receiver{Subject: "alerts.tocsin", Stream: "ALERTS"}); err != nil {
		t.Fatal(err)
	}
	m, err := stream.GetMsg(t.Context(), 1)
	if err != nil || m.Header.Get(nats.MsgIdHdr) != it.Key() || m.Header.Get("Tocsin-Kind") != "opened" || string(m.Data) != string(it.Body) {
		t.Errorf("%+v, %v", m, err)
	}
	if info, err := stream.Info(t.Context()); err != nil || info.State.Msgs != 1 {
		t.Errorf("%+v, %v", info, err)
	}
	if err := send(Receiver{Subject: "plain.alerts"}); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if m, err := heard.NextMsg(10 * time.Second); err != nil || string(m.Data) != string(it.Body) {
			t.Errorf("%v", err)
		}
	}
	if err := send(Receiver{Subject: "nowhere.at.all", Stream: "ALERTS"}); err == nil || errors.Is(err, errPermanent) {
		t.Errorf("a subject that no stream has: %v", err)
	}
}

func TestNATSThatIsAway(t *testing.T) {
	t.Parallel()
	n, err := newNATS(Receiver{Name: "bus", Type: NATS, URL: "nats://127.0.0.1:1", Subject: "alerts", Password: "hush"}, Config{})
	if err != nil {
		t.Fatal(err)
	}
	if err := n.send(t.Context(), mailItem(t, Opened, 1)); err == nil || errors.Is(err, errPermanent) || strings.Contains(err.Error(), "hush") {
		t.Errorf("%v", err)
	}
}
