// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"tocsin/stream/natstest"
	"tocsin/test/certs"
)

// shownCluster starts three servers with the nats-server.conf of docs/nats.md, after an edit. Only where they are is the test's own.
// It returns the change of a tocsin with the tocsin.yaml that is shown beside it.
func shownCluster(t *testing.T, edit func(conf string) string) func(*Config) {
	t.Helper()
	text := page(t, "docs/nats.md")
	conf := regexp.MustCompile("(?s)```\n(# nats-server.conf.*?)```").FindStringSubmatch(text)
	ours := regexp.MustCompile("(?s)```yaml\n(# tocsin.yaml.*?)```").FindStringSubmatch(text)
	if conf == nil || ours == nil {
		t.Fatal("docs/nats.md does not show a nats-server.conf and a tocsin.yaml")
	}
	ca, _, _ := certs.Write(t)
	dir := filepath.Dir(ca)
	cluster := natstest.Start(t, 3, func(o *server.Options) {
		file := filepath.Join(dir, o.ServerName+".conf")
		text := strings.NewReplacer("/etc/nats", dir, "$NATS_NAME", o.ServerName).Replace(edit(conf[1]))
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		shown, err := server.ProcessConfigFile(file)
		if err != nil {
			t.Fatal(err)
		}
		shown.Host, shown.Port, shown.StoreDir, shown.Routes = o.Host, o.Port, o.StoreDir, o.Routes
		shown.Cluster.Host, shown.Cluster.Port = o.Cluster.Host, o.Cluster.Port
		shown.NoLog, shown.NoSigs = true, true
		*o = *shown
	})
	text = strings.ReplaceAll(ours[1], "/etc/tocsin", dir)
	return func(c *Config) {
		if err := (&configFile{name: "docs/nats.md", origins: make(map[string]string)}).read([]byte(text), c); err != nil {
			t.Error(err)
		}
		onCluster(cluster)(c)
		c.NATS.URL = strings.ReplaceAll(c.NATS.URL, "nats://", "tls://")
	}
}

// TestTheAttackWithTheLeastRights: a NATS with the configuration that docs/nats.md shows permits all that the attack and a restart need.
// A subject that is refused ends the process, and so the test.
func TestTheAttackWithTheLeastRights(t *testing.T) {
	t.Parallel()
	change := shownCluster(t, func(conf string) string { return conf })
	data := t.TempDir()
	attack(t, "sqlite:"+filepath.Join(data, "tocsin.db"), data, change)
}

// TestARightIsMissing: the process ends, and names what is not permitted: of what the start needs, and of what only the work does.
func TestARightIsMissing(t *testing.T) {
	t.Parallel()
	for right, subject := range map[string]string{
		"$JS.API.STREAM.CREATE.EVENTS":        `publish to "$JS.API.STREAM.CREATE.EVENTS"`,
		"$KV.tocsin-sets.>":                   `publish to "$KV.tocsin-sets.`,
		"$JS.API.CONSUMER.MSG.NEXT.MATCHES.*": `publish to "$JS.API.CONSUMER.MSG.NEXT.MATCHES.`,
		"$JS.ACK.EVENTS.match.>":              `publish to "$JS.ACK.EVENTS.match.`,
		"_INBOX.tocsin.>":                     `subscribe to "_INBOX.tocsin.`,
	} {
		t.Run(strings.NewReplacer(".", "-", "*", "", ">", "").Replace(right), func(t *testing.T) {
			t.Parallel()
			change := shownCluster(t, func(conf string) string { return strings.Replace(conf, `"`+right+`"`, `"some.other"`, 1) })
			data := t.TempDir()
			cfg := localConfig("sqlite:"+filepath.Join(data, "tocsin.db"), data)
			change(&cfg)
			var log bytes.Buffer
			c := &cli{stdin: strings.NewReader(""), stdout: io.Discard, stderr: &log}
			ctx, cancel := context.WithCancel(context.Background()) // requests wait for as long as they always do
			defer cancel()
			defer time.AfterFunc(2*time.Minute, cancel).Stop()
			if err := c.serve(ctx, cfg, false); err == nil || !strings.Contains(err.Error(), "NATS does not permit its user to "+subject) {
				t.Errorf("it ends with %v, want one that names %s\n%s", err, subject, &log)
			}
		})
	}
}
