// SPDX-License-Identifier: Apache-2.0

package stream_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/nats-io/nats-server/v2/conf"
	"github.com/nats-io/nats-server/v2/server"
)

// The users of docs/nats.md.
const (
	wholeUser = iota
	edgeUser
)

// rights are those that docs/nats.md gives a user.
func rights(t *testing.T, user int) (publish, subscribe []any) {
	t.Helper()
	page, err := os.ReadFile("../docs/nats.md")
	if err != nil {
		t.Fatal(err)
	}
	block := regexp.MustCompile("(?s)```\n(# nats-server.conf.*?)```").FindSubmatch(page)
	if block == nil {
		t.Fatal("docs/nats.md shows no nats-server.conf")
	}
	all, err := conf.Parse(strings.ReplaceAll(string(block[1]), "$NATS_NAME", "n0"))
	if err != nil {
		t.Fatal(err)
	}
	users := all["accounts"].(map[string]any)["TOCSIN"].(map[string]any)["users"].([]any)
	p := users[user].(map[string]any)["permissions"].(map[string]any)
	return p["publish"].([]any), p["subscribe"].([]any)
}

// account is one with a user of its name.
func account(name string, publish, subscribe []any) map[string]any {
	return map[string]any{"jetstream": "enabled", "users": []any{map[string]any{
		"user": name, "password": "secret", "permissions": map[string]any{"publish": publish, "subscribe": subscribe},
	}}}
}

// permit gives a server accounts; whoever shows no password is the user all.
func permit(t *testing.T, o *server.Options, accounts map[string]any) {
	t.Helper()
	var text bytes.Buffer
	enc := json.NewEncoder(&text)
	enc.SetEscapeHTML(false) // the server's reader of JSON knows no \u003e
	if err := enc.Encode(map[string]any{"accounts": accounts, "no_auth_user": "all"}); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "nats-server.conf")
	if err := os.WriteFile(file, text.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	shown, err := server.ProcessConfigFile(file)
	if err != nil {
		t.Fatal(err)
	}
	o.Accounts, o.Users, o.NoAuthUser = shown.Accounts, shown.Users, shown.NoAuthUser
}
