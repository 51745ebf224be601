// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"path/filepath"
	"time"

	"tocsin/alert"
	"tocsin/ingest"
	"tocsin/ingest/kyverno"
	"tocsin/stream"
)

// defaultConfigFile is read if it is there and nothing else is named.
const defaultConfigFile = "/etc/tocsin/tocsin.yaml"

// Config is the whole configuration. Every key is in docs/configuration.md.
type Config struct {
	Data     string        `yaml:"data"`
	Rules    []string      `yaml:"rules"`
	Roles    []string      `yaml:"roles"`
	Lateness time.Duration `yaml:"lateness"`
	Ingest   struct {
		Listen         string                  `yaml:"listen"`
		Token          string                  `yaml:"token"`
		Tokens         []ingest.Token          `yaml:"tokens"`
		Identities     []ingest.Identity       `yaml:"identities"`
		MaxBody        int                     `yaml:"max_body"`
		AllowPlaintext bool                    `yaml:"allow_plaintext"`
		TLS            ingestTLS               `yaml:"tls"`
		FalcoFrom      []ingest.ContainerMatch `yaml:"falco_from"`
		JSONFrom       []ingest.ContainerMatch `yaml:"json_from"`
		AuditFrom      []ingest.ContainerMatch `yaml:"audit_from"`
	} `yaml:"ingest"`
	API   apiConfig `yaml:"api"`
	Admin struct {
		Listen string `yaml:"listen"`
	} `yaml:"admin"`
	Vector struct {
		Listen         string `yaml:"listen"`
		Cert           string `yaml:"cert"`
		Key            string `yaml:"key"`
		ClientCA       string `yaml:"client_ca"`
		ClientAuth     string `yaml:"client_auth"`
		AllowPlaintext bool   `yaml:"allow_plaintext"`
	} `yaml:"vector"`
	Falco struct {
		GRPC []falcoGRPC `yaml:"grpc"`
	} `yaml:"falco"`
	Kyverno struct {
		Enabled    bool   `yaml:"enabled"`
		Kubeconfig string `yaml:"kubeconfig"`
		Context    string `yaml:"context"`
		Cluster    string `yaml:"cluster"`
		Namespace  string `yaml:"namespace"`
	} `yaml:"kyverno"`
	NATS struct {
		URL      string `yaml:"url"`
		Creds    string `yaml:"creds"`
		CA       string `yaml:"ca"`
		Cert     string `yaml:"cert"`
		Key      string `yaml:"key"`
		Replicas int    `yaml:"replicas"`
	} `yaml:"nats"`
	Edge struct {
		Bytes int64 `yaml:"bytes"`
	} `yaml:"edge"`
	Store struct {
		URL string `yaml:"url"`
	} `yaml:"store"`
	Audit struct {
		KeyFile string         `yaml:"key_file"`
		Anchors []anchorConfig `yaml:"anchors"`
	} `yaml:"audit"`
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

// ingestTLS is the TLS of the ingest endpoint.
type ingestTLS struct {
	Cert       string `yaml:"cert"`
	Key        string `yaml:"key"`
	ClientCA   string `yaml:"client_ca"`
	ClientAuth string `yaml:"client_auth"`
}

// falcoGRPC names a Falco with gRPC output.
type falcoGRPC struct {
	Name    string `yaml:"name"`
	Address string `yaml:"address"`
	CA      string `yaml:"ca"`
	Cert    string `yaml:"cert"`
	Key     string `yaml:"key"`
}

type retention struct {
	Age   time.Duration `yaml:"age"`
	Bytes int64         `yaml:"bytes"`
}

func defaultConfig() Config {
	var c Config
	c.Data, c.Rules, c.Roles, c.Lateness = "./data", []string{"./rules.d"}, []string{"all"}, 5*time.Minute
	c.Ingest.Listen, c.API.Listen, c.Admin.Listen = "127.0.0.1:8081", "127.0.0.1:8080", "127.0.0.1:8082"
	c.Vector.Listen = "127.0.0.1:6000"
	c.Ingest.TLS.ClientAuth, c.Vector.ClientAuth = authOptional, authOptional
	c.Ingest.MaxBody = ingest.MaxBody
	c.API.Rate.Principal, c.API.Rate.Address = 500, 1000
	c.API.OIDC.Algorithms, c.API.OIDC.Scopes = []string{"RS256"}, []string{"openid", "profile", "email"}
	c.API.OIDC.NameClaims, c.API.OIDC.RolesClaims = []string{"preferred_username", "email"}, []string{"realm_access.roles"}
	c.API.OIDC.Session = 8 * time.Hour
	c.Partitions = stream.DefaultConfig.Partitions
	c.Retention.Events = retention(stream.DefaultConfig.Events)
	c.Retention.Matches = retention(stream.DefaultConfig.Matches)
	c.Retention.Quarantine = retention(stream.DefaultConfig.Quarantine)
	c.Log.Level, c.Log.Format = "info", "text"
	return c
}

func (c *Config) storeURL() string {
	if c.Store.URL != "" {
		return c.Store.URL
	}
	return "sqlite:" + filepath.Join(c.Data, "tocsin.db")
}

func (c *Config) parserConfig() ingest.ParserConfig {
	return ingest.ParserConfig{FalcoFrom: c.Ingest.FalcoFrom, JSONFrom: c.Ingest.JSONFrom, AuditFrom: c.Ingest.AuditFrom}
}

// releaseConfig is that of the parser of what is released from quarantine: it claims what its sender may claim by now.
func (c *Config) releaseConfig() ingest.ParserConfig {
	own := []string{kyverno.Source}
	for _, f := range c.Falco.GRPC {
		own = append(own, cmp.Or(f.Name, "falco"))
	}
	p := c.parserConfig()
	p.Claims = ingest.NewClaims(c.access(c.Ingest.TLS.ClientCA+c.Vector.ClientCA), own...)
	return p
}

func (c *Config) streamConfig() stream.Config {
	return stream.Config{
		Events: stream.Retention(c.Retention.Events), Matches: stream.Retention(c.Retention.Matches),
		Quarantine: stream.Retention(c.Retention.Quarantine), Partitions: c.Partitions, Replicas: c.NATS.Replicas,
	}
}

// access says who may post to a listener, whose clients show certificates of clientCA, "" for none.
func (c *Config) access(clientCA string) ingest.Access {
	return ingest.Access{Tokens: c.ingestTokens(), Certificates: clientCA != "", Identities: c.Ingest.Identities}
}

func (c *Config) ingestTokens() []ingest.Token {
	tokens := append([]ingest.Token(nil), c.Ingest.Tokens...)
	if c.Ingest.Token != "" {
		tokens = append(tokens, ingest.Token{Value: c.Ingest.Token})
	}
	return tokens
}
