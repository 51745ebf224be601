// SPDX-License-Identifier: Apache-2.0

package proof

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
)

// The files of a bundle that say what made the incident.
const (
	// RuleFile is the rule in force when the bundle was made, RuleThenFile the rule with the incident's revision, if that is another.
	RuleFile     = "rule.yml"
	RuleThenFile = "rule-then.yml"
	RuleFacts    = "rule.json"
	ServerFile   = "server.json"
)

// RulePart is what a bundle says of the rule.
type RulePart struct {
	ID string `json:"id"`
	// Revision is the incident's, InForce that of the rule by this id now, "" if there is none.
	Revision string `json:"revision"`
	InForce  string `json:"in_force"`
	File     string `json:"file,omitempty"`
	// SHA256 is that of rule.yml, the rule in force as it is written. Withheld says why that is not there.
	SHA256   string `json:"sha256,omitempty"`
	Withheld string `json:"withheld,omitempty"`
	// Then is about the rule with the incident's revision, nil if that is the one in force.
	Then *RuleText `json:"then,omitempty"`
}

// RuleText is a text that a rule had.
type RuleText struct {
	File   string `json:"file,omitempty"`
	SHA256 string `json:"sha256,omitempty"`
	// Withheld says why the text is not there.
	Withheld string `json:"withheld,omitempty"`
}

// ServerPart is what a bundle says of the server that made it.
type ServerPart struct {
	Version string `json:"version"`
	// Config is the SHA-256 of its configuration without secrets, as `tocsin config check` says it.
	Config string `json:"config_sha256"`
}

// Hex returns the SHA-256 of something, as everything here writes it.
func Hex(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// checkRule checks that each text of the rule is the one that is spoken of, and that none is missing without a reason. Bundles from before
// they had the text of then have no word about it.
func (v *Verified) checkRule(files map[string][]byte) error {
	if err := json.Unmarshal(files[RuleFacts], &v.Rule); err != nil {
		return fmt.Errorf("%s: %w", RuleFacts, err)
	}
	if err := checkText(files, RuleFile, RuleText{SHA256: v.Rule.SHA256, Withheld: v.Rule.Withheld}); err != nil {
		return err
	}
	_, later := files[ServerFile]
	then := v.Rule.Then
	switch changed := v.Rule.Revision != v.Rule.InForce; {
	case then != nil && !changed:
		return errors.New(RuleFacts + " speaks of a rule of then, and of no change since")
	case then == nil && changed && later:
		return errors.New(RuleFacts + " says that the rule was changed, and nothing of how it was")
	case then == nil:
		then = &RuleText{Withheld: "the bundle has none"}
	}
	return checkText(files, RuleThenFile, *then)
}

func checkText(files map[string][]byte, name string, x RuleText) error {
	text, there := files[name]
	switch {
	case there && x.Withheld != "":
		return fmt.Errorf("%s is there, and %s says why it is not", name, RuleFacts)
	case !there && x.Withheld == "":
		return fmt.Errorf("%s is missing, and %s does not say why", name, RuleFacts)
	case there && Hex(text) != x.SHA256:
		return fmt.Errorf("%s does not have the SHA-256 that %s names", name, RuleFacts)
	}
	return nil
}

// checkServer reads what is said of the server; bundles of earlier versions say nothing.
func (v *Verified) checkServer(files map[string][]byte) error {
	b, ok := files[ServerFile]
	if !ok {
		return nil
	}
	if err := json.Unmarshal(b, &v.Server); err != nil {
		return fmt.Errorf("%s: %w", ServerFile, err)
	}
	return nil
}
