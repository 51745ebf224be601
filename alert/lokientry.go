// SPDX-License-Identifier: Apache-2.0

package alert

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/grafana/loki/pkg/push"

	"tocsin/incident"
)

// Labels are what a Loki receiver's configuration says of its streams' labels (product.md, 2.6). Five labels and
// no others make a stream: these two, and `stream`, `severity` and `source` of each alert. Whatever has
// many values is structured metadata.
type Labels struct {
	// ServiceName is "tocsin" unless it is set.
	ServiceName string `koanf:"service_name" yaml:"service_name"`
	// Cluster is left out if it is "".
	Cluster string `koanf:"cluster" yaml:"cluster"`
}

// Bounds of an entry: Loki refuses a label's value of more than 2,048 bytes, and 64 KiB of metadata.
const (
	maxLabel    = 1024
	maxMetadata = 2048
)

// saidAlert is what an entry's labels and metadata need of an alert's body.
type saidAlert struct {
	Type string `json:"type"`
	Data struct {
		ID       string            `json:"id"`
		Severity string            `json:"severity"`
		Rule     incident.RuleView `json:"rule"`
		Entities []incident.Entity `json:"entities"`
		Attack   struct {
			Techniques []string `json:"techniques"`
		} `json:"attack"`
		Sources  []string `json:"sources"`
		Revision int64    `json:"revision"`
	} `json:"data"`
}

func readAlert(body []byte) (saidAlert, error) {
	var a saidAlert
	if err := json.Unmarshal(body, &a); err != nil {
		return a, fmt.Errorf("read the alert: %w", err)
	}
	return a, nil
}

// kind is the alert's, out of its CloudEvents type.
func (a saidAlert) kind() string {
	return strings.TrimSuffix(strings.TrimPrefix(a.Type, typePrefix), typeSuffix)
}

// of prints the labels of an alert's stream as Loki compares them: sorted by name.
func (l Labels) of(a saidAlert) string {
	stream := "incident"
	if a.kind() == string(Detected) {
		stream = "detection"
	}
	source := ""
	if len(a.Data.Sources) > 0 {
		source = a.Data.Sources[0]
	}
	if len(a.Data.Sources) > 1 {
		source = "several" // the metadata has their names
	}
	var b strings.Builder
	for _, x := range [...][2]string{
		{"cluster", l.Cluster},
		{"service_name", cmp.Or(l.ServiceName, "tocsin")},
		{"severity", a.Data.Severity},
		{"source", source},
		{"stream", stream},
	} {
		if v := cut(x[1], maxLabel); v != "" {
			b.WriteString(", " + x[0] + "=" + strconv.Quote(v))
		}
	}
	return "{" + strings.TrimPrefix(b.String(), ", ") + "}"
}

// metadata is what finds an entry besides its labels, sorted by name. What has several values has them with commas
// between.
func metadata(it Item, a saidAlert) push.LabelsAdapter {
	values := map[string][]string{
		"alert_key":    {it.Key()},
		"kind":         {a.kind()},
		"incident_id":  {a.Data.ID},
		"detection_id": {it.Detection},
		"revision":     {strconv.FormatInt(a.Data.Revision, 10)},
		"rule_id":      {a.Data.Rule.ID},
		"technique":    a.Data.Attack.Techniques,
		"sources":      a.Data.Sources,
	}
	for _, e := range a.Data.Entities {
		name := e.Type
		switch e.Type {
		case "ip":
			name = "src_ip"
		case "pod":
			if ns, _, ok := strings.Cut(e.Name, "/"); ok && !slices.Contains(values["namespace"], ns) {
				values["namespace"] = append(values["namespace"], ns)
			}
		case "namespace":
			if slices.Contains(values[name], e.Name) {
				continue
			}
		case "host", "user":
		default:
			continue
		}
		values[name] = append(values[name], e.Name)
	}
	var out push.LabelsAdapter
	for name, vs := range values {
		if v := join(vs); v != "" {
			out = append(out, push.LabelAdapter{Name: name, Value: v})
		}
	}
	slices.SortFunc(out, func(a, b push.LabelAdapter) int { return strings.Compare(a.Name, b.Name) })
	return out
}

// join puts commas between values, as many as fit whole; the line has all of them.
func join(vs []string) string {
	out := ""
	for i, v := range vs {
		if i == 0 {
			out = cut(v, maxMetadata)
			continue
		}
		if len(out)+1+len(v) > maxMetadata {
			break
		}
		out += "," + v
	}
	return out
}

// cut returns at most n bytes of s, as valid UTF-8.
func cut(s string, n int) string { return strings.ToValidUTF8(s[:min(len(s), n)], "") }
