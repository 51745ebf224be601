// SPDX-License-Identifier: Apache-2.0

package storetest

import (
	"context"
	"crypto/sha256"
	"fmt"
	"slices"
	"testing"
	"time"

	"tocsin/incident"
	"tocsin/store"
)

// BenchmarkMillion asks a store of n incidents what people ask, each question of something else each time, and reports how long the
// answers took. A store that has incidents is taken as one that this filled before.
func BenchmarkMillion(b *testing.B, s store.Store, n int, bulk Bulk) {
	began := time.Now()
	m := filled(b, s, n, bulk)
	b.Logf("filled in %v", time.Since(began).Round(time.Second))
	for _, q := range m.questions(s) {
		b.Run(q.name, func(b *testing.B) {
			var took, ticks []time.Duration
			for i := 0; b.Loop(); i++ {
				ticks = append(ticks, tick())
				began := time.Now()
				if err := q.ask(b.Context(), i); err != nil {
					b.Fatal(err)
				}
				took = append(took, time.Since(began))
			}
			ticks = append(ticks, tick())
			steady := undisturbed(took, ticks)
			slices.Sort(took)
			at := func(some []time.Duration, percent int) float64 {
				return float64(some[len(some)*percent/100]) / float64(time.Millisecond)
			}
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(at(took, 50), "p50-ms")
			b.ReportMetric(at(took, 99), "p99-ms")
			b.ReportMetric(at(steady, 99), "steady-p99-ms")
			b.ReportMetric(float64(100*len(steady)/len(took)), "steady-%")
		})
	}
}

// tick is how long the machine takes for what should take it the same time each time, a quarter of a millisecond or so.
func tick() time.Duration {
	began := time.Now()
	sum := sha256.Sum256(nil)
	for range 2_000 {
		sum = sha256.Sum256(sum[:])
	}
	return time.Since(began)
}

// undisturbed returns those answers, sorted, before and after which the machine was not half as slow again as it mostly is: one that others
// share runs at a part of its speed now and then, and then measures them. There is one tick more than there are answers.
func undisturbed(took, ticks []time.Duration) []time.Duration {
	usual := slices.Sorted(slices.Values(ticks))[len(ticks)/2]
	var out []time.Duration
	for i, d := range took {
		if 2*max(ticks[i], ticks[i+1]) < 3*usual {
			out = append(out, d)
		}
	}
	if out == nil {
		return took
	}
	slices.Sort(out)
	return out
}

type question struct {
	name string
	ask  func(ctx context.Context, i int) error
}

func (m *million) questions(s store.Store) []question {
	var out []question
	ask := func(name string, fn func(ctx context.Context, i int) error) { out = append(out, question{name, fn}) }
	list := func(name string, of func(i int) incident.Filter) {
		ask("list/"+name, func(ctx context.Context, i int) error {
			_, _, err := s.Incidents(ctx, of(i))
			return err
		})
	}
	// What the machine makes of some milliseconds of work that waits for nothing: no answer that takes as long is steadier.
	ask("nothing", func(context.Context, int) error {
		sum := sha256.Sum256(nil)
		for range 70_000 {
			sum = sha256.Sum256(sum[:])
		}
		return nil
	})
	open := []string{"new", "in_progress", "on_hold"}
	team := func(i int) string { return namespaceName(i % 50) }
	user := func(i int) string { return fmt.Sprintf("user-%d", i*i) }
	day := func(i int) int64 { return m.start + int64(span)*int64(i%100)/100 }

	list("open", same(incident.Filter{Status: open}))
	list("all", same(incident.Filter{}))
	list("all, 500", same(incident.Filter{Limit: 500}))
	list("all, with merged and retracted", same(incident.Filter{IncludeMerged: true, IncludeRetracted: true}))
	list("merged too", same(incident.Filter{IncludeMerged: true, Status: open}))
	list("on hold", same(incident.Filter{Status: []string{"on_hold"}}))
	list("closed", same(incident.Filter{Status: []string{"closed"}}))
	list("severities", func(i int) incident.Filter {
		return incident.Filter{Severity: []string{"critical", "high", "low"}[:1+i%3]}
	})
	list("severity, open", same(incident.Filter{Severity: []string{"critical", "high"}, Status: open}))
	list("rule", func(i int) incident.Filter { return incident.Filter{Rule: m.rules[i%40].ID} })
	list("rule, open", func(i int) incident.Filter { return incident.Filter{Rule: m.rules[i%40].ID, Status: open} })
	list("rule, on hold", func(i int) incident.Filter {
		return incident.Filter{Rule: m.rules[i%40].ID, Status: []string{"on_hold"}}
	})
	list("rule of another severity", func(i int) incident.Filter {
		return incident.Filter{Rule: m.rules[i%40].ID, Severity: []string{m.rules[(i+1)%40].Severity.String()}}
	})
	list("entity", func(i int) incident.Filter { return incident.Filter{EntityType: "user", EntityName: user(i)} })
	list("entity, open", func(i int) incident.Filter {
		return incident.Filter{EntityType: "user", EntityName: user(i), Status: open}
	})
	list("type of entity", same(incident.Filter{EntityType: "pod"}))
	list("technique", func(i int) incident.Filter { return incident.Filter{Technique: m.rules[i%40].Attack[0]} })
	list("technique, open", func(i int) incident.Filter { return incident.Filter{Technique: m.rules[i%40].Attack[0], Status: open} })
	list("technique, on hold", func(i int) incident.Filter {
		return incident.Filter{Technique: m.rules[i%40].Attack[0], Status: []string{"on_hold"}}
	})
	list("technique of another rule", func(i int) incident.Filter {
		return incident.Filter{Technique: m.rules[i%40].Attack[0], Rule: m.rules[(i+3)%40].ID}
	})
	list("rule, closed", func(i int) incident.Filter {
		return incident.Filter{Rule: m.rules[i%40].ID, Status: []string{"closed"}}
	})
	list("rule, severity, technique, until", func(i int) incident.Filter {
		return incident.Filter{Rule: m.rules[i%40].ID, Severity: []string{m.rules[i%40].Severity.String()}, Technique: m.rules[(i+12)%40].Attack[0], Until: day(i)}
	})
	list("name of an entity, closed", func(i int) incident.Filter { return incident.Filter{EntityName: user(i), Status: []string{"closed"}} })
	list("since", func(i int) incident.Filter { return incident.Filter{Since: day(i)} })
	list("until", func(i int) incident.Filter { return incident.Filter{Until: day(i)} })
	list("a day", func(i int) incident.Filter { return incident.Filter{Since: day(i), Until: day(i + 1)} })
	list("a day, severity, status", func(i int) incident.Filter {
		return incident.Filter{Since: day(i), Until: day(i + 1), Severity: []string{"critical"}, Status: []string{"closed"}}
	})
	list("text: a user", func(i int) incident.Filter { return incident.Filter{Query: user(i)} })
	list("text: of many", same(incident.Filter{Query: "what rule"}))
	list("text: a rule", func(i int) incident.Filter { return incident.Filter{Query: m.rules[i%40].ID} })
	list("text: of none", func(i int) incident.Filter { return incident.Filter{Query: fmt.Sprintf("nobody-%d", i)} })
	list("text: two letters of none", same(incident.Filter{Query: "ÿñ"}))
	list("text: three letters of few", func(i int) incident.Filter { return incident.Filter{Query: fmt.Sprint(100 + i*7%900)} })
	list("text: of few, open", func(i int) incident.Filter { return incident.Filter{Query: user(i), Status: open} })
	list("text: two letters of few, of another rule", func(i int) incident.Filter {
		return incident.Filter{Query: fmt.Sprint(10 + i%90), Rule: m.rules[i%40].ID, Technique: m.rules[(i+3)%40].Attack[0]}
	})
	list("ids", func(i int) incident.Filter {
		return incident.Filter{IDs: []string{id(anIncident, i*7%m.n), id(anIncident, i*11%m.n)}}
	})

	for _, of := range []struct {
		name  string
		scope func(i int) incident.Scope
	}{
		{"a namespace", func(i int) incident.Scope { return incident.Scope{{Cluster: clusterName(i % 5), Namespace: team(i)}} }},
		{"a cluster", func(i int) incident.Scope {
			return incident.Scope{{Cluster: clusterName(i % 5), Namespace: incident.Any}}
		}},
		{"a team", func(i int) incident.Scope { return incident.Scope{{Cluster: incident.Any, Namespace: team(i)}} }},
		{"three teams", func(i int) incident.Scope {
			return incident.Scope{{Cluster: incident.Any, Namespace: team(i)}, {Cluster: incident.Any, Namespace: team(i + 20)}, {Cluster: "cluster-0", Namespace: team(i + 30)}}
		}},
		{"nothing there", same(incident.Scope{{Cluster: "cluster-9", Namespace: incident.Any}, {Cluster: "cluster-8", Namespace: "team-99"}})},
	} {
		in := func(name string, f func(i int) incident.Filter) {
			list("scope of "+of.name+"/"+name, func(i int) incident.Filter {
				g := f(i)
				g.Scope = of.scope(i)
				return g
			})
		}
		in("all", same(incident.Filter{}))
		in("open", same(incident.Filter{Status: open}))
		in("severity, open", same(incident.Filter{Status: open, Severity: []string{"critical"}}))
		in("rule", func(i int) incident.Filter { return incident.Filter{Rule: m.rules[i%40].ID} })
		in("entity", func(i int) incident.Filter { return incident.Filter{EntityType: "user", EntityName: user(i)} })
		in("rule, entity", func(i int) incident.Filter {
			return incident.Filter{Rule: m.rules[i%40].ID, EntityType: "user", EntityName: user(i)}
		})
		in("closed, of another rule", func(i int) incident.Filter {
			return incident.Filter{Status: []string{"closed"}, Rule: m.rules[i%40].ID, Technique: m.rules[(i+3)%40].Attack[0]}
		})
		in("technique", func(i int) incident.Filter { return incident.Filter{Technique: m.rules[i%40].Attack[0]} })
		in("text: a user", func(i int) incident.Filter { return incident.Filter{Query: user(i)} })
		ask("related/scope of "+of.name, func(ctx context.Context, i int) error {
			_, err := s.Related(ctx, m.some(i), of.scope(i), 50)
			return err
		})
		ask("entity/scope of "+of.name, func(ctx context.Context, i int) error {
			_, _, err := s.Sightings(ctx, "user", user(i), of.scope(i))
			return err
		})
	}

	cursor := ""
	ask("list/open, page after page", func(ctx context.Context, _ int) (err error) {
		_, cursor, err = s.Incidents(ctx, incident.Filter{Status: open, Cursor: cursor})
		return err
	})
	deep := ""
	ask("list/all, page after page", func(ctx context.Context, _ int) (err error) {
		_, deep, err = s.Incidents(ctx, incident.Filter{Cursor: deep, Limit: 500})
		return err
	})
	ask("incident", func(ctx context.Context, i int) error {
		_, err := s.Incident(ctx, m.some(i))
		return err
	})
	ask("evidence", func(ctx context.Context, i int) error {
		_, _, err := s.Evidence(ctx, m.some(i), 100, "")
		return err
	})
	ask("timeline", func(ctx context.Context, i int) error {
		_, _, err := s.Timeline(ctx, m.some(i), incident.TimelineFilter{Limit: 100})
		return err
	})
	ask("related", func(ctx context.Context, i int) error {
		_, err := s.Related(ctx, m.some(i), nil, 50)
		return err
	})
	ask("entity", func(ctx context.Context, i int) error {
		_, _, err := s.Sightings(ctx, "user", user(i), nil)
		return err
	})
	ask("entity, of many", func(ctx context.Context, _ int) error {
		_, _, err := s.Sightings(ctx, "user", "user-0", nil)
		return err
	})
	ask("counts", func(ctx context.Context, _ int) error {
		_, err := s.Rollup(ctx)
		return err
	})
	ask("change", func(ctx context.Context, _ int) error {
		_, err := s.LastChange(ctx)
		return err
	})
	return out
}

// same asks for the same each time.
func same[T any](x T) func(int) T { return func(int) T { return x } }

// some returns the id of an incident, from all over.
func (m *million) some(i int) string { return id(anIncident, i*7919%m.n) }
