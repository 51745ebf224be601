// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/spf13/pflag"

	"tocsin/rules"
)

// flags are those of every command.
type flags struct {
	config string
	data   string
	rules  []string
	roles  []string
	token  string
	output string
	url    string
}

func (f *flags) add(s *pflag.FlagSet) {
	s.StringVar(&f.config, "config", "", "configuration file (default: "+defaultConfigFile+" if it is there)")
	s.StringVar(&f.data, "data", "", "data directory (default ./data)")
}

// environment are the twins of keys; architecture.md lists them.
var environment = []struct {
	name, key string
	set       func(*Config, string) error
}{
	{"TOCSIN_DATA", "data", func(c *Config, v string) error { c.Data = v; return nil }},
	{"TOCSIN_RULES", "rules", func(c *Config, v string) error { c.Rules = filepath.SplitList(v); return nil }},
	{"TOCSIN_ROLES", "roles", func(c *Config, v string) error { c.Roles = splitList(v); return nil }},
	{"TOCSIN_LATENESS", "lateness", func(c *Config, v string) error {
		d, err := rules.ParseDuration(v)
		c.Lateness = d
		return err
	}},
	{"TOCSIN_INGEST_LISTEN", "ingest.listen", func(c *Config, v string) error { c.Ingest.Listen = v; return nil }},
	{"TOCSIN_INGEST_TOKEN", "ingest.token", func(c *Config, v string) error { c.Ingest.Token = v; return nil }},
	{"TOCSIN_API_LISTEN", "api.listen", func(c *Config, v string) error { c.API.Listen = v; return nil }},
	{"TOCSIN_API_TOKEN", "api.token", func(c *Config, v string) error { c.API.Token = v; return nil }},
	{"TOCSIN_API_ALLOW_PLAINTEXT", "api.allow_plaintext", func(c *Config, v string) (err error) {
		c.API.AllowPlaintext, err = strconv.ParseBool(v)
		return err
	}},
	{"TOCSIN_API_OIDC_CLIENT_SECRET", "api.oidc.client_secret", func(c *Config, v string) error { c.API.OIDC.ClientSecret = v; return nil }},
	{"TOCSIN_ADMIN_LISTEN", "admin.listen", func(c *Config, v string) error { c.Admin.Listen = v; return nil }},
	{"TOCSIN_VECTOR_LISTEN", "vector.listen", func(c *Config, v string) error { c.Vector.Listen = v; return nil }},
	{"TOCSIN_STORE_URL", "store.url", func(c *Config, v string) error { c.Store.URL = v; return nil }},
	{"TOCSIN_NATS_URL", "nats.url", func(c *Config, v string) error { c.NATS.URL = v; return nil }},
	{"TOCSIN_EDGE_BYTES", "edge.bytes", func(c *Config, v string) (err error) {
		c.Edge.Bytes, err = strconv.ParseInt(v, 10, 64)
		return err
	}},
}

// splitList takes a list that commas join apart.
func splitList(v string) []string {
	var out []string
	for part := range strings.SplitSeq(v, ",") {
		if part = strings.TrimSpace(part); part != "" {
			out = append(out, part)
		}
	}
	return out
}

// config reads the configuration.
func (c *cli) config() (Config, error) {
	cfg, _, err := c.loadConfig()
	return cfg, err
}

// loadConfig reads the configuration: the defaults, the file, the environment, the flags, each over the one before. It
// says of each key that is not at its default where its value came from.
func (c *cli) loadConfig() (Config, map[string]string, error) {
	cfg, origins := defaultConfig(), make(map[string]string)
	name := c.flags.config
	if name == "" {
		name = defaultConfigFile
	}
	data, err := os.ReadFile(name)
	switch {
	case err == nil:
		f := &configFile{name: name, origins: origins}
		if err := f.read(data, &cfg); err != nil {
			return cfg, nil, &usageError{err}
		}
	case c.flags.config != "":
		return cfg, nil, &usageError{fmt.Errorf("--config: %w", err)}
	case !errors.Is(err, fs.ErrNotExist):
		return cfg, nil, &usageError{fmt.Errorf("configuration: %w", err)}
	}
	getenv := c.getenv
	if getenv == nil {
		getenv = os.Getenv
	}
	for _, e := range environment {
		if v := getenv(e.name); v != "" {
			if err := e.set(&cfg, v); err != nil {
				return cfg, nil, &usageError{fmt.Errorf("%s: %w", e.name, err)}
			}
			origins[e.key] = e.name
		}
	}
	if c.flags.data != "" {
		cfg.Data, origins["data"] = c.flags.data, "--data"
	}
	if len(c.flags.rules) > 0 {
		cfg.Rules, origins["rules"] = c.flags.rules, "--rules"
	}
	if len(c.flags.roles) > 0 {
		cfg.Roles, origins["roles"] = c.flags.roles, "--roles"
	}
	if err := cfg.validate(); err != nil {
		if wrong, ok := errors.AsType[*keyError](err); ok && origins[wrong.key] != "" {
			err = fmt.Errorf("%s: %w", origins[wrong.key], err)
		}
		return cfg, nil, &usageError{err}
	}
	return cfg, origins, nil
}
