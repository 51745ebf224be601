// SPDX-License-Identifier: Apache-2.0

package incident

// Related is an incident of another rule, with the entities that both are about.
type Related struct {
	Incident View     `json:"incident"`
	Shared   []Entity `json:"shared"`
}
