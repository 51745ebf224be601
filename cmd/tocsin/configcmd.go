// SPDX-License-Identifier: Apache-2.0

package main

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/url"
	"reflect"
	"strings"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/spf13/cobra"
)

// masked stands for a secret.
const masked = "xxxxx"

func newConfigCommand(c *cli) *cobra.Command {
	cmd := &cobra.Command{Use: "config", Short: "Look at the configuration"}
	cmd.AddCommand(&cobra.Command{
		Use: "check", Short: "Read the configuration and print what is in force and where it came from, without secrets", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			cfg, origins, err := c.loadConfig()
			if err != nil {
				return err
			}
			sum, err := cfg.sum()
			if err != nil {
				return err
			}
			if err := printConfig(c.stdout, reflect.ValueOf(cfg.shown()), origins, ""); err != nil {
				return err
			}
			_, err = fmt.Fprintln(c.stdout, "# SHA-256 of the keys and values, without secrets:", sum)
			return err
		},
	})
	return cmd
}

// shown returns the configuration as it may be shown: all of it but its secrets.
func (c *Config) shown() Config {
	cfg := *c
	cfg.Store.URL = cfg.storeURL()
	mask(&cfg)
	return cfg
}

// sum returns the SHA-256 of what is shown, in hex: whoever has the file and the environment can have it again.
func (c *Config) sum() (string, error) {
	cfg := c.shown()
	cfg.API.Token = "" // one that is preset is no other configuration than one that the first start makes
	h := sha256.New()
	err := printConfig(h, reflect.ValueOf(cfg), nil, "")
	return hex.EncodeToString(h.Sum(nil)), err
}

// printConfig prints YAML that can be read again, a key a line, each followed by where its value came from.
func printConfig(w io.Writer, section reflect.Value, origins map[string]string, path string) error {
	indent := strings.Repeat("  ", strings.Count(path, "."))
	for i := range section.NumField() {
		key, v := section.Type().Field(i).Tag.Get("yaml"), section.Field(i)
		if v.Kind() == reflect.Struct {
			if _, err := fmt.Fprintf(w, "%s%s:\n", indent, key); err != nil {
				return err
			}
			if err := printConfig(w, v, origins, path+key+"."); err != nil {
				return err
			}
			continue
		}
		text, err := scalar(v)
		if err != nil {
			return fmt.Errorf("%s%s: %w", path, key, err)
		}
		origin := origins[path+key]
		if origin == "" {
			origin = "default"
		}
		if _, err := fmt.Fprintf(w, "%-50s # %s\n", indent+key+": "+text, origin); err != nil {
			return err
		}
	}
	return nil
}

func scalar(v reflect.Value) (string, error) {
	if d, ok := reflect.TypeAssert[time.Duration](v); ok {
		return spell(d), nil
	}
	b, err := yaml.MarshalWithOptions(v.Interface(), yaml.Flow(true), yaml.JSON())
	return strings.TrimSpace(string(b)), err
}

// spell writes a duration as the configuration reads it: 90s, 5m, 7d.
func spell(d time.Duration) string {
	for _, u := range []struct {
		unit time.Duration
		name string
	}{{24 * time.Hour, "d"}, {time.Hour, "h"}, {time.Minute, "m"}} {
		if d >= u.unit && d%u.unit == 0 {
			return fmt.Sprintf("%d%s", d/u.unit, u.name)
		}
	}
	return fmt.Sprintf("%ds", d/time.Second)
}

// mask takes the secrets out. The slices are copies, since the configuration in force may share them.
func mask(cfg *Config) {
	for _, s := range []*string{&cfg.API.Token, &cfg.API.OIDC.ClientSecret, &cfg.Ingest.Token} {
		if *s != "" {
			*s = masked
		}
	}
	cfg.Ingest.Tokens = append(cfg.Ingest.Tokens[:0:0], cfg.Ingest.Tokens...)
	for i := range cfg.Ingest.Tokens {
		cfg.Ingest.Tokens[i].Value = masked
	}
	cfg.Alert.Receivers = append(cfg.Alert.Receivers[:0:0], cfg.Alert.Receivers...)
	for i := range cfg.Alert.Receivers {
		r := &cfg.Alert.Receivers[i]
		r.Secrets = append(r.Secrets[:0:0], r.Secrets...)
		for j := range r.Secrets {
			r.Secrets[j] = masked
		}
		r.URL = maskWebhook(r.URL)
		for _, s := range []*string{&r.Password, &r.Token, &r.RoutingKey} {
			if *s != "" {
				*s = masked
			}
		}
	}
	cfg.Audit.Anchors = append(cfg.Audit.Anchors[:0:0], cfg.Audit.Anchors...)
	for i := range cfg.Audit.Anchors {
		a := &cfg.Audit.Anchors[i]
		a.URL = maskWebhook(a.URL)
		if a.Token != "" {
			a.Token = masked
		}
		headers := make(map[string]string, len(a.Headers))
		for name := range a.Headers {
			headers[name] = masked
		}
		a.Headers = headers
	}
	if !strings.HasPrefix(cfg.Store.URL, "sqlite:") {
		cfg.Store.URL = maskStore(cfg.Store.URL)
	}
}

// maskStore takes the password out of a database's URL, also out of its query.
func maskStore(text string) string {
	u, err := url.Parse(text)
	if err != nil {
		return masked
	}
	if q := u.Query(); q.Has("password") || q.Has("sslpassword") {
		for _, name := range []string{"password", "sslpassword"} {
			if q.Has(name) {
				q.Set(name, masked)
			}
		}
		u.RawQuery = q.Encode()
	}
	return u.Redacted()
}

// maskWebhook leaves of a webhook's URL where it leads: many a service has its secret in the path.
func maskWebhook(text string) string {
	if text == "" {
		return ""
	}
	u, err := url.Parse(text)
	if err != nil || u.Host == "" {
		return masked
	}
	return u.Scheme + "://" + u.Host + "/" + masked
}
