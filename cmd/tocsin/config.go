// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/spf13/pflag"

	"tocsin/alert"
	"tocsin/ingest"
	"tocsin/rules"
	"tocsin/stream"
)

// defaultConfigFile is read if it is there and nothing else is named.
const defaultConfigFile = "/etc/tocsin/tocsin.yaml"

// Config is the whole configuration. Every key is in docs/configuration.md.
type Config struct {
	Data     string        `yaml:"data"`
	Rules    []string      `yaml:"rules"`
	Lateness time.Duration `yaml:"lateness"`
	Ingest   struct {
		Listen         string                  `yaml:"listen"`
		Token          string                  `yaml:"token"`
		Tokens         []ingest.Token          `yaml:"tokens"`
		MaxBody        int                     `yaml:"max_body"`
		AllowPlaintext bool                    `yaml:"allow_plaintext"`
		FalcoFrom      []ingest.ContainerMatch `yaml:"falco_from"`
		JSONFrom       []ingest.ContainerMatch `yaml:"json_from"`
	} `yaml:"ingest"`
	API struct {
		Listen         string `yaml:"listen"`
		Token          string `yaml:"token"`
		AllowPlaintext bool   `yaml:"allow_plaintext"`
	} `yaml:"api"`
	Admin struct {
		Listen string `yaml:"listen"`
	} `yaml:"admin"`
	Store struct {
		URL string `yaml:"url"`
	} `yaml:"store"`
	Partitions int `yaml:"partitions"`
	Retention  struct {
		Events     retention `yaml:"events"`
		Matches    retention `yaml:"matches"`
		Quarantine retention `yaml:"quarantine"`
	} `yaml:"retention"`
	Alert alert.Config `yaml:"alert"`
	Log   struct {
		Level  string `yaml:"level"`
		Format string `yaml:"format"`
	} `yaml:"log"`
}

type retention struct {
	Age   time.Duration `yaml:"age"`
	Bytes int64         `yaml:"bytes"`
}

func defaultConfig() Config {
	var c Config
	c.Data, c.Rules, c.Lateness = "./data", []string{"./rules.d"}, 5*time.Minute
	c.Ingest.Listen, c.API.Listen, c.Admin.Listen = "127.0.0.1:8081", "127.0.0.1:8080", "127.0.0.1:8082"
	c.Ingest.MaxBody = ingest.MaxBody
	c.Partitions = stream.DefaultConfig.Partitions
	c.Retention.Events = retention(stream.DefaultConfig.Events)
	c.Retention.Matches = retention(stream.DefaultConfig.Matches)
	c.Retention.Quarantine = retention(stream.DefaultConfig.Quarantine)
	c.Alert = alert.Config{}
	c.Log.Level, c.Log.Format = "info", "text"
	return c
}

func (c *Config) storeURL() string {
	if c.Store.URL != "" {
		return c.Store.URL
	}
	return "sqlite:" + filepath.Join(c.Data, "tocsin.db")
}

func (c *Config) streamConfig() stream.Config {
	return stream.Config{
		Events: stream.Retention(c.Retention.Events), Matches: stream.Retention(c.Retention.Matches),
		Quarantine: stream.Retention(c.Retention.Quarantine), Partitions: c.Partitions,
	}
}

func (c *Config) ingestTokens() []ingest.Token {
	tokens := append([]ingest.Token(nil), c.Ingest.Tokens...)
	if c.Ingest.Token != "" {
		tokens = append(tokens, ingest.Token{Value: c.Ingest.Token})
	}
	return tokens
}

// flags are those of every command.
type flags struct {
	set    *pflag.FlagSet
	config string
	data   string
	rules  []string
	token  string
	output string
	url    string
}

func (f *flags) add(s *pflag.FlagSet) {
	f.set = s
	s.StringVar(&f.config, "config", "", "configuration file (default: "+defaultConfigFile+" if it is there)")
	s.StringVar(&f.data, "data", "", "data directory (default ./data)")
}

// environment are the twins of keys; architecture.md lists them.
var environment = []struct {
	name string
	set  func(*Config, string) error
}{
	{"TOCSIN_DATA", func(c *Config, v string) error { c.Data = v; return nil }},
	{"TOCSIN_RULES", func(c *Config, v string) error { c.Rules = filepath.SplitList(v); return nil }},
	{"TOCSIN_INGEST_LISTEN", func(c *Config, v string) error { c.Ingest.Listen = v; return nil }},
	{"TOCSIN_API_LISTEN", func(c *Config, v string) error { c.API.Listen = v; return nil }},
	{"TOCSIN_ADMIN_LISTEN", func(c *Config, v string) error { c.Admin.Listen = v; return nil }},
	{"TOCSIN_STORE_URL", func(c *Config, v string) error { c.Store.URL = v; return nil }},
	{"TOCSIN_API_TOKEN", func(c *Config, v string) error { c.API.Token = v; return nil }},
	{"TOCSIN_INGEST_TOKEN", func(c *Config, v string) error { c.Ingest.Token = v; return nil }},
	{"TOCSIN_LATENESS", func(c *Config, v string) error {
		d, err := rules.ParseDuration(v)
		c.Lateness = d
		return err
	}},
}

// config reads the configuration: the defaults, the file, the environment, the flags, each over the one before.
func (c *cli) config() (Config, error) {
	cfg := defaultConfig()
	name := c.flags.config
	data, err := os.ReadFile(cmpOr(name, defaultConfigFile))
	switch {
	case err == nil:
		if err := decodeConfig(cmpOr(name, defaultConfigFile), data, &cfg); err != nil {
			return cfg, &usageError{err}
		}
	case name != "" || !errors.Is(err, fs.ErrNotExist):
		return cfg, &usageError{fmt.Errorf("--config: %w", err)}
	}
	for _, e := range environment {
		if v := os.Getenv(e.name); v != "" {
			if err := e.set(&cfg, v); err != nil {
				return cfg, &usageError{fmt.Errorf("%s: %w", e.name, err)}
			}
		}
	}
	for _, later := range []string{"TOCSIN_NATS_URL", "TOCSIN_VECTOR_LISTEN"} {
		if os.Getenv(later) != "" {
			return cfg, &usageError{fmt.Errorf("%s comes with a later version", later)}
		}
	}
	if v := os.Getenv("TOCSIN_ROLES"); v != "" && v != "all" {
		return cfg, &usageError{fmt.Errorf("TOCSIN_ROLES=%s: this version runs all roles in one process", v)}
	}
	if c.flags.data != "" {
		cfg.Data = c.flags.data
	}
	if len(c.flags.rules) > 0 {
		cfg.Rules = c.flags.rules
	}
	if err := cfg.validate(); err != nil {
		return cfg, &usageError{err}
	}
	return cfg, nil
}

func cmpOr(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// decodeConfig reads a file strictly: an unknown key is a mistake, and the nearest known one is named.
func decodeConfig(name string, data []byte, cfg *Config) error {
	dec := yaml.NewDecoder(bytes.NewReader(data), yaml.Strict(), yaml.CustomUnmarshaler(func(d *time.Duration, b []byte) error {
		v, err := rules.ParseDuration(strings.Trim(strings.TrimSpace(string(b)), `"'`))
		*d = v
		return err
	}))
	if err := dec.Decode(cfg); err != nil && err.Error() != "EOF" {
		msg := yaml.FormatError(err, false, true)
		if _, key, ok := strings.Cut(msg, `unknown field "`); ok {
			key, _, _ = strings.Cut(key, `"`)
			if n := rules.Nearest(key, configKeys(reflect.TypeFor[Config]())); n != "" {
				msg += fmt.Sprintf("\ndid you mean %q?", n)
			}
		}
		return fmt.Errorf("%s: %s", name, msg)
	}
	return nil
}

// configKeys lists the last parts of all keys.
func configKeys(t reflect.Type) []string {
	var out []string
	for i := range t.NumField() {
		f := t.Field(i)
		if key := f.Tag.Get("yaml"); key != "" {
			out = append(out, key)
		}
		ft := f.Type
		if ft.Kind() == reflect.Slice {
			ft = ft.Elem()
		}
		if ft.Kind() == reflect.Struct {
			out = append(out, configKeys(ft)...)
		}
	}
	return out
}

func (c *Config) validate() error {
	if c.Lateness <= 0 || c.Lateness > 24*time.Hour {
		return fmt.Errorf("lateness is between 1s and 24h, not %s", c.Lateness)
	}
	if c.Partitions < 1 || c.Partitions > 1024 {
		return fmt.Errorf("partitions is between 1 and 1024, not %d", c.Partitions)
	}
	if len(c.Rules) == 0 {
		return errors.New("rules names no path")
	}
	if c.Ingest.MaxBody < 1 || c.Ingest.MaxBody > ingest.MaxBody {
		return fmt.Errorf("ingest.max_body is between 1 and %d bytes", ingest.MaxBody)
	}
	for _, l := range []struct {
		key, addr string
		plaintext bool
	}{
		{"ingest.listen", c.Ingest.Listen, c.Ingest.AllowPlaintext},
		{"api.listen", c.API.Listen, c.API.AllowPlaintext},
		{"admin.listen", c.Admin.Listen, false},
	} {
		host, _, err := net.SplitHostPort(l.addr)
		if err != nil {
			return fmt.Errorf("%s: %w", l.key, err)
		}
		if ip := net.ParseIP(host); !l.plaintext && host != "localhost" && (ip == nil || !ip.IsLoopback()) {
			if l.key == "admin.listen" {
				continue // metrics are scraped from elsewhere
			}
			part, _, _ := strings.Cut(l.key, ".")
			return fmt.Errorf("%s: %s is not loopback, and there is no TLS: put a proxy with TLS before it, or say %s.allow_plaintext: true", l.key, l.addr, part)
		}
	}
	switch strings.ToLower(c.Log.Level) {
	case "debug", "info", "warn", "error":
	default:
		return fmt.Errorf("log.level is debug, info, warn or error, not %q", c.Log.Level)
	}
	if c.Log.Format != "text" && c.Log.Format != "json" {
		return fmt.Errorf("log.format is text or json, not %q", c.Log.Format)
	}
	return c.Alert.Validate()
}
