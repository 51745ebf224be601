// SPDX-License-Identifier: Apache-2.0

package test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// mutant is a fault: what the file has, and what it has in its place.
type mutant struct{ name, file, from, to string }

// mutants are faults that an engine like ours is known to have. The property test of package correlate must catch each:
// a mutant that lives says that the test has gone blind.
var mutants = []mutant{
	{"a small window finds nothing", "correlate/index.go", "if m.ref.ID == id {", "if false {"},
	{"an index misses what was there before", "correlate/index.go", "w.index.note(m, 1)\n", "\n"},
	{"no deduplication", "correlate/window.go", "old := w.find(ref.ID)", "old := w.find(event.ID{})"},
	{"arrival order instead of event time", "correlate/match.go", "if m.ref.Time != o.ref.Time {\n\t\treturn cmp.Compare(m.ref.Time, o.ref.Time)", "if m.ref.Arrival != o.ref.Arrival {\n\t\treturn cmp.Compare(m.ref.Arrival, o.ref.Arrival)"},
	{"half-open windows: < for <=", "correlate/judge.go", "between(around, add(t, -p.t), t), around)", "between(around, add(t, 1-p.t), t), around)"},
	{"no tight window", "correlate/judge.go", "start = min(start, s)", "start = min(start, s, add(x.e.ref.Time, -1))"},
	{"firing points are not chained", "correlate/settle.go", "sub(b.ref.Time, a.ref.Time) <= w.plan.t", "sub(b.ref.Time, a.ref.Time) < w.plan.t"},
	{"late joins are not made", "correlate/settle.go", "for j := i - 1; j >= 0 &&", "for j := i - 1; j >= i-1 && j >= 0 &&"},
	{"incidents are not merged", "incident/settle.go", "if i == 0 || event.Minus(l.first, end) > c.quiet {", "if i == 0 || event.Minus(l.first, end) >= c.quiet {"},
	{"closings do not cut", "incident/settle.go", "if min(l.firing, l.born) <= cl.at {", "if true {"},
	{"absence looks back only", "correlate/judge.go", "add(last, -p.t), add(first, p.t))", "add(last, -p.t), x.e.ref.Time)"},
	{"absence at the end of a sequence is not waited for", "correlate/absence.go", "!occurs(around, s.guards[n], add(time, 1), add(time, t))", "true"},
	{"an event serves two steps", "correlate/sequence.go", "if m.owner[i] < 0 || m.augment(m.owner[i], seen) {", "if true {"},
	{"equal times have one order", "correlate/sequence.go", "for begin > 0 && ms[begin-1].ref.Time == ms[begin].ref.Time {", "for false {"},
	{"a guard's own event contradicts", "correlate/absence.go", "if x.bits&s.guards[k] == 0 || s.isChosen(chosen, from, k, i) {", "if x.bits&s.guards[k] == 0 {"},
	{"tuples run together", "correlate/distinct.go", "out = append(out, v...)", "out = append(out[:0], v...)"},
	{"fewer-than looks back", "correlate/atom.go", "return t, add(t, v.w.plan.t)", "return add(t, -v.w.plan.t), t"},
	{"contradiction is forgotten", "correlate/rejudge.go", "case !e.holds && e.fp:\n\t\tw.unfire(e, at)", "case !e.holds && e.fp:"},
	{"events are forgotten too early", "correlate/forget.go", "return 2*(p.reach+p.late) + p.delay() + p.lag", "return p.t"},
	{"a late event ends what folded firing points count", "correlate/window.go", "if m.late && !w.uneven() {", "if false {"},
	{"what never met is counted", "correlate/match.go", "return max(m.ref.Arrival, o.ref.Arrival) <= min(p.keep(m), p.keep(o))", "return true"},
	{"a snapshot loses verdicts", "correlate/snapshotwindow.go", "m.holds, m.fp = r.Bool(), r.Bool()", "m.holds, m.fp = r.Bool(), r.Bool() && false"},
	{"a snapshot loses incidents", "incident/encode.go", "l.capped, l.retracted, l.incident = r.Bool(), r.Bool(), r.String()", "l.capped, l.retracted, l.incident = r.Bool(), r.Bool(), r.String()[:0]"},
	{"the first copy in the log counts, not the first to arrive", "correlate/window.go", "if bits&^old.bits == 0 && !earlier {", "if bits&^old.bits == 0 {"},
	{"exceptions do not expire", "rules/except.go", "if e.Time <= x.expires && pred.Eval(x.covers, e) {", "if pred.Eval(x.covers, e) {"},
	{"exceptions are not looked at", "rules/except.go", "if e.Time <= x.expires && pred.Eval(x.covers, e) {", "if false && pred.Eval(x.covers, e) {"},
	{"exceptions do not cover what a referenced rule fires", "correlate/carry.go", "return m.fp && m.barred != 1", "return m.fp"},
	{"exceptions reach into a referenced rule", "rules/match.go", "if barred > 0 {\n\t\tx.tally.Excepted = 1", "if barred > 0 {\n\t\tx.tally.Excepted = 1\n\t\treturn"},
	{"exceptions two references up are forgotten", "correlate/carry.go", "max(e.barred-1, 0)", "0"},
	{"a snapshot loses what exceptions above say", "correlate/snapshotwindow.go", "int8(r.Uint())", "int8(r.Uint())&0"},
	{"what an exception above covers is not counted", "rules/match.go", "if barred > 0 {", "if false {"},
	{"a firing point loses its values", "correlate/carry.go", "e.vals[min(len(w.plan.rule.Values), len(e.vals)):], at)", "nil, at)"},
	{"late firing points of a referenced rule come too late", "correlate/plan.go", "p.lag = max(p.lag, c.reach+c.late+c.delay()+c.lag+c.hop())", "p.lag, _ = 0, c"},
	{"events of one time run together in a rule without a window", "correlate/settle.go", "uneven, interval = false, g", "uneven, interval = false, interval"},
	{"an incident of the future cannot be closed", "incident/settle.go", "if min(l.firing, l.born) <= cl.at {", "if l.firing <= cl.at {"},
	{"keys do not hop", "rules/keys.go", "return k.perPattern[pattern].read(e)", "return k.perPattern[0].read(e)"},
	{"what was merged is never forgotten", "incident/settle.go", "went, again = true, true", "went = true"},
	{"a closing does not keep what was joined into something older", "incident/settle.go", "l.incident == cl.incident || slices.Contains(heirs, l.id)", "l.incident == cl.incident || slices.Contains(heirs[:0], l.id)"},
	{"a closing at the very time does not keep", "incident/settle.go", "if min(l.firing, l.born) <= cl.at {", "if min(l.firing, l.born) < cl.at {"},
	{"a detection of a told incident is not told", "incident/settle.go", "s.changed |= Grown // also", "s.changed |= 0 // also"},
	{"a sum takes in negative values", "correlate/numeric.go", "return n, ok && n.Sign() >= 0", "return n, ok"},
	{"a sum forgets what overflowed", "correlate/total.go", "t.large = big.NewInt(t.small)", "t.large = new(big.Int)"},
	{"a percentile takes the rank below", "correlate/aggregate.go", "(n*int64(p.Digits)+per-1)/per", "n*int64(p.Digits)/per"},
	{"a median takes one of the middle two", "correlate/aggregate.go", "if low < 0 && high > 0 {", "if false {"},
	{"a pattern scores for each of its events", "correlate/score.go", "&^ seen; fresh != 0", "&^ 0; fresh != 0"},
	{"what is folded is not remembered", "correlate/firstseen.go", "v.seen[value] = v.seen[value].add(m.ref.Time, v.learn)", "v.seen[value] = v.seen[value].add(0, v.learn)"},
	{"memories are lost too early", "correlate/firstseen.go", "add(v.learn, v.tooLate()+v.w.plan.retention()+1)", "v.learn"},
	{"a late event does not make others known", "correlate/firstseen.go", "if v.isNew(e) != (e.bits&v.fact != 0) {", "if e == m && v.isNew(e) != (e.bits&v.fact != 0) {"},
	{"what comes too late is known", "correlate/memory.go", "return x.ref.Arrival <= w.plan.keep(e)", "return true"},
	{"however late, it takes part", "correlate/firstseen.go", "return m.bits&v.bit != 0 && m.ref.Arrival <= add(m.ref.Time, v.tooLate())", "return m.bits&v.bit != 0"},
	{"a young key knows", "correlate/firstseen.go", "return v.w.began(e, v.all, v.learn, enough, v.takes) <= enough", "return v.w.began(e, v.all, v.learn, enough, v.takes) <= enough || true"},
	{"what is new is not judged long enough", "correlate/plan.go", "if p.facts > len(p.rule.Patterns) {", "if false {"},
	{"a snapshot loses memories", "correlate/firstseen.go", "v.seen[value] = s\n", "v.seen[value+value] = s\n"},
	{"a silence ends at its event", "correlate/silence.go", "return ok && !x.occurs(s.bit, add(last, 1), add(last, x.w.plan.t))", "return ok && !x.occurs(s.bit, add(last, 1), last)"},
	{"the end of the input is a silence", "correlate/judge.go", "if horizon != 0 && ahead > horizon {", "if false {"},
	{"a silence outlasts the input where another alternative holds", "correlate/rejudge.go", "if e.verdict = w.judge(e, at); !e.holds {", "if !e.holds {"},
	{"today is among the days before", "correlate/usual.go", "d := today - rules.UsualDays; d < today; d++", "d := today - rules.UsualDays + 1; d <= today; d++"},
	{"a key of few days has a usual rate", "correlate/usual.go", "enough := (today-rules.UsualDays+1)*day - 1", "enough := today*day"},
	{"all hours are one", "correlate/usual.go", "if hourOf(m.ref.Time) == at && h.takes(m)", "if h.takes(m)"},
	{"hours are forgotten too early", "correlate/usual.go", "return usualSpan + day + h.tooLate() + h.w.plan.retention() + 1", "return usualSpan"},
	{"a late event does not count in the usual rate", "correlate/usual.go", "one = append(one, e)", "_ = e"},
	{"a snapshot loses days", "correlate/usual.go", "h.days[d] = counts", "h.days[-d] = counts"},
	{"what is forgotten before it is told is in no incident", "correlate/cell.go", "in := c.chain.IncidentOf(d.Detection.ID); in != \"\"", "in := c.chain.IncidentOf(d.Detection.ID); true"},
	{"firing points of a referenced rule are not taken back", "correlate/carry.go", "} else if !c.firesElsewhere(w, e, key) {", "} else if false {"},
}

// limitMutants are for the tests of limits, and of cells of many keys.
var limitMutants = []mutant{
	{"keys that share their incidents are not bounded", "correlate/engine.go", "|| !c.admits(p.planAt(m.Path), m.Key) {", "{"},
	{"keys are not bounded", "correlate/engine.go", "c == nil && e.perRule[m.Rule] >= e.limits.Keys || !c", "!c"},
	{"a key that went counts still", "correlate/windows.go", "\tw.plan.windows--\n", ""},
	{"a key sleeps through what falls due sooner", "correlate/crowd.go", "at != 0 && (m.woken == 0 || at < m.woken)", "at != 0 && m.woken == 0"},
	{"a key is woken once", "correlate/cell.go", "\tc.arm(ws)\n", ""},
	{"matches of a key are not bounded", "correlate/carry.go", "if len(w.ms) <= limit {", "if true {"},
	{"a key is bounded one match early", "correlate/carry.go", "if len(w.ms) <= limit {", "if len(w.ms) < limit {"},
	{"what a rule has from another is not bounded", "correlate/carry.go", "\t\tc.bound(pw, up, n)\n", ""},
	{"matches that are dropped are not counted", "correlate/carry.go", "n.Capped += int64(w.shrink(limit-limit/10)) + int64(w.dropped)", "w.shrink(limit-limit/10)"},
	{"a rule does not hear what another dropped", "correlate/carry.go", "\tc.cap(path, w.key)\n", ""},
	{"capped is told with the next match", "correlate/forget.go", "w.capped, w.dirty, w.full = true, true, true //", "w.capped = true //"},
	{"a snapshot forgets what was dropped", "correlate/snapshotwindow.go", "w.capped, w.due, w.unevenTo = r.Bool()", "w.capped, w.due, w.unevenTo = r.Bool() && false"},
	{"evidence has no end", "correlate/runs.go", "const evidenceLimit = 100", "const evidenceLimit = 100_000"},
	{"evidence ends one early", "correlate/runs.go", "const evidenceLimit = 100", "const evidenceLimit = 99"},
	{"the first firing point is no evidence", "correlate/runs.go", "seen[e.step] <= evidenceLimit || known && e.ref.ID == first", "seen[e.step] <= evidenceLimit"},
	{"evidence of one time is the first to come", "correlate/extend.go", "if even && w.displaces(last, more) {", "if false {"},
	{"after a restart many keys sleep", "correlate/snapshot.go", "\tc.arm(c.windows)\n", ""},
}

// followMutants are for the tests of what a window keeps to answer quickly.
var followMutants = []mutant{
	{"what disturbs disturbs nothing before it", "correlate/chase.go", "c.ended = c.ended[:i]", "_ = i"},
	{"what must not come before has come and gone", "correlate/chase.go", "\t\tc.lead = c.at\n", ""},
	{"what comes late follows", "correlate/chase.go", "case n < 0 || m.ref.Time < c.at:", "case n < 0:"},
	{"what goes stays in what followed", "correlate/chase.go", "case n < 0 || m.ref.Time < c.at:", "case m.ref.Time < c.at:"},
	{"the first way is kept, not the last", "correlate/chase.go", "c.with[k] = max(c.with[k], start)", "c.with[k] = start"},
	{"like events are one", "correlate/chase.go", "if alike > len(c.steps)+2 {", "if alike > 0 {"},
	{"a count looks to what is open", "correlate/timeline.go", "return max(0, until(s, to)-before(s, from))", "return max(0, before(s, to)-before(s, from))"},
	{"what comes late is last", "correlate/timeline.go", "case n > 0 && (i == 0 || s[i-1] <= at):", "case n > 0:"},
	{"a slide does not see what comes", "correlate/slide.go", "if s.from <= m.ref.Time && m.ref.Time <= s.to {", "if false {"},
	{"a slide keeps what it has passed", "correlate/slide.go", "{s.from, add(from, -1), -1}, {", "{"},
}

// changeMutants are for the tests of rules that change.
var changeMutants = []mutant{
	{"a rule that comes back remembers", "correlate/change.go", "c.removeAll()", "_ = c"},
	{"a rule that goes keeps its absences", "correlate/change.go", "if n := c.abandon(); n > 0 {", "if n := int64(0); n > 0 {"},
	{"a late marker switches back", "correlate/clock.go", "t.Generation >= e.now.generation", "true"},
}

// nearMutants are for what is told of keys that did not make it.
var nearMutants = []mutant{
	{"what was retracted is done", "correlate/near.go", "case d.Gone || d.Detection.Retracted != nil:", "case d.Gone:"},
	{"the end of the input is forgotten", "correlate/near.go", "Horizon: h.Until}}", "}}"},
	{"absences that hold one by one hold together", "correlate/nearsteps.go", "out[i].Done = false", "_ = i"},
	{"an absence is one before it is over", "correlate/nearsteps.go", "near = between(a.x.around, add(a.last, -pl.t), add(a.first, pl.t))", "_ = pl"},
	{"what is not known is done", "correlate/nearsteps.go", "step.Done, step.Open = false, true", "step.Open = true"},
}

// loopMutants are faults of the loops that own partitions and of those that match, for the simulation of them; trimMutants are
// seen only where the log is trimmed, or many messages of it are read at once; tornMutants are of what becomes of a snapshot that
// cannot be read.
var (
	loopMutants = []mutant{
		{"acknowledged before it is published", "pipeline/match.go", "if err := m.Streams.PublishMatches(ctx, out); err != nil {", "for i := range msgs {\n\t\t_ = msgs[i].Ack()\n\t}\n\tif err := m.Streams.PublishMatches(ctx, out); err != nil {"},
		{"a publication that failed is taken for done", "pipeline/match.go", "return fmt.Errorf(\"publish matches: %w\", err)", "_ = err"},
		{"the clock runs ahead of what is not matched", "pipeline/clock.go", "case t.Floor > floor:", "case false:"},
		{"read on from what is committed, not from the snapshot", "pipeline/restore.go", "= o.lease.Applied, o.saved", "= o.lease.Applied, o.lease.Applied"},
		{"who is told to end commits what it has not read again", "pipeline/owner.go", "if o.behind() {\n\t\t\t\t\treturn nil", "if false {\n\t\t\t\t\treturn nil"},
	}
	trimMutants = []mutant{
		{"what was read again is committed again", "pipeline/owner.go", "changes = correlate.Changes{} // read again", "_ = changes // read again"},
		{"what was read again with something new is committed again", "pipeline/owner.go", "o.engine.Changes() // all up to here", "_ = o // all up to here"},
		{"trimmed of what is committed, not of what is in snapshots", "pipeline/trim.go", "upTo = min(upTo, s.Before)", "upTo = min(upTo, s.Applied)"},
	}
	tornMutants = []mutant{
		{"half a snapshot is a snapshot", "pipeline/restore.go", "errors.Is(err, store.ErrCorrupt) {\n\t\tunreadable = err", "errors.Is(err, store.ErrCorrupt) {\n\t\terr = nil"},
		{"behind a snapshot that cannot be read its log is not read again", "pipeline/restore.go", "\t}\n\treturn 0, nil\n", "\t}\n\treturn o.lease.Snapshot, nil\n"},
		{"behind the snapshot before the last its log is not read again", "pipeline/restore.go", "= o.lease.Applied, o.saved", "= o.lease.Applied, o.lease.Snapshot"},
		{"half a snapshot stays beside the one before", "pipeline/restore.go", "\"err\", unreadable)\n\t\tif err := o.fresh(); err != nil {", "\"err\", unreadable)\n\t\tif err := error(nil); err != nil {"},
		{"there is no snapshot before the last", "pipeline/restore.go", "[]uint64{o.lease.Snapshot, o.lease.Before}", "[]uint64{o.lease.Snapshot}"},
		{"the next snapshot is made of one that cannot be read", "pipeline/restore.go", "if o.undo = seq != o.lease.Snapshot; !o.undo {", "if o.undo = false; seq == o.lease.Snapshot {"},
		{"trimmed of what the last snapshot has", "pipeline/trim.go", "case s.Before < lasts[s.Partition]:\n\t\t\tupTo = min(upTo, s.Before)", "case s.Snapshot < lasts[s.Partition]:\n\t\t\tupTo = min(upTo, s.Snapshot)"},
	}
)

// lifeMutants are faults of who tells a copy of what is known from one of what is forgotten.
var lifeMutants = []mutant{
	{"whatever is made again is the first", "correlate/life.go", "n > 0 {", "n > 1<<40 {"},
	{"what is known in a later life is made anew", "correlate/life.go", "; ok {\n\t\t\tr.id, r.life", "; ok && false {\n\t\t\tr.id, r.life"},
	{"a snapshot loses what is of a later life", "incident/encode.go", "c.keep(l)\n", "c.links[l.id] = l\n"},
	{"an incident does not say that it is of a later life", "incident/settle.go", "in.Again = in.Again || l.life != (Life{})", ""},
}

// gateMutants are holes in the one way in, proofMutants in what proves who somebody is.
var (
	gateMutants = []mutant{
		{"gate: what is done is not written down", "api/guard.go", "if a.id == \"\" || safe(r.Method)", "if true || safe(r.Method)"},
		{"gate: what was forbidden is not written down", "api/guard.go", "refused.Status == http.StatusForbidden && s.Store", "false && s.Store"},
		{"gate: another site acts for who is logged in", "api/guard.go", "err := s.origins.Check(r); err != nil", "err := s.origins.Check(r); false && err != nil"},
		{"gate: everybody may do everything", "api/guard.go", "return auth.Allow(a.who, a.id)", "return nil"},
		{"gate: a scope may do what is about all", "api/auth/gate.go", "case op.Scoping == Whole && p.Scope != nil:", "case false:"},
		{"gate: a token that was revoked is taken", "api/auth/gate.go", "case t.Revoked != 0:", "case false:"},
		{"gate: a token is believed for an hour", "api/auth/cache.go", "fresh = 2 * time.Second", "fresh = time.Hour"},
		{"gate: what is out of scope is shown", "api/scoped.go", "err == nil && !in[id]", "err == nil && !in[id] && false"},
		{"gate: lists have what is out of scope", "api/scoped.go", "f.Scope = auth.Of(ctx).Scope\n\treturn s.all.Incidents", "return s.all.Incidents"},
		{"gate: streams have what is out of scope", "api/scoped.go", "f.Scope = auth.Of(ctx).Scope\n\treturn s.all.FollowEvents", "return s.all.FollowEvents"},
		{"gate: a search finds what is out of scope", "api/scoped.go", "q.Scope = auth.Of(ctx).Scope", "_ = ctx"},
		{"gate: a place names an incident that is out of scope", "api/incidentstream.go", "m.id = unnamed(x.Mark)", "_ = m"},
		{"gate: a scope gives away more than it is", "api/tokens.go", "!scope.Within(p.Scope)", "false"},
		{"gate: a client says who it is", "api/auth/remote.go", "range slices.Backward(hops)", "range slices.All(hops)"},
	}
	proofMutants = []mutant{
		{"proof: a token for another is taken", "api/auth/oidc.go", "if slices.Contains(audience, o.Audience) {", "if true {"},
		{"proof: nothing is verified", "api/auth/oidc.go", "SkipExpiryCheck: true, Supp", "SkipExpiryCheck: true, InsecureSkipSignatureCheck: true, Supp"},
		{"proof: five minutes of grace", "api/auth/oidc.go", "const skew = 60 * time.Second", "const skew = 300 * time.Second"},
		{"proof: an ID token is an access token", "api/auth/oidc.go", "if claims[\"at_hash\"] != nil {", "if false {"},
		{"proof: keys are fetched for each that is made up", "api/auth/keys.go", "!t.last.IsZero() && since >= 0", "false && since >= 0"},
		{"proof: another browser's login is taken", "api/auth/login.go", "a.State == \"\" || subtle", "false && subtle"},
		{"proof: another login's ID token is taken", "api/auth/login.go", "subtle.ConstantTimeCompare([]byte(t.Nonce), []byte(nonce)) != 1", "false"},
		{"proof: another's access token counts", "api/auth/login.go", "more[\"sub\"] == subject", "true"},
		{"proof: who lacks a scope sees everything", "api/auth/oidc.go", "\t\tif m.Scope == \"\" {\n", "\t\tif true {\n"},
	}
)

// seeds are those with which a test at once draws what shows a mutant; with another it would draw for long.
var seeds = map[string]int{
	"closings do not cut":                                          13531,
	"absence at the end of a sequence is not waited for":           132871,
	"an event serves two steps":                                    1347262,
	"equal times have one order":                                   156521,
	"a guard's own event contradicts":                              358282,
	"fewer-than looks back":                                        46,
	"tuples run together":                                          15722029,
	"exceptions reach into a referenced rule":                      138076,
	"a snapshot loses what exceptions above say":                   13862,
	"exceptions two references up are forgotten":                   18945091,
	"a sum takes in negative values":                               44835716,
	"a sum forgets what overflowed":                                376984612,
	"a median takes one of the middle two":                         181041907,
	"a pattern scores for each of its events":                      6271112,
	"however late, it takes part":                                  14197,
	"memories are lost too early":                                  15232441,
	"a silence ends at its event":                                  50404,
	"a silence outlasts the input where another alternative holds": 2081,
	"all hours are one":                                            54616,
	"today is among the days before":                               7104566,
	"a late event does not count in the usual rate":                54616,
	"hours are forgotten too early":                                9970346,
	"a snapshot loses days":                                        7104566,
	"absences that hold one by one hold together":                  10276312,
	"what was retracted is done":                                   116792687,
	"an absence is one before it is over":                          41500606,
}

func TestMutantsAreCaught(t *testing.T) {
	caughtByEngine(t, mutants, 120_000, "^TestEngine")
	caughtByEngine(t, nearMutants, 20_000, "^TestNearest")
	caughtByEngine(t, limitMutants, 1, "^Test(.*Bounded|Capped|Counts|EngineOfManyKeys|OneOfManyKeys)", "^TestEvidence")
	caughtByEngine(t, followMutants, 2_000, "^Test(WhatFollows|ASlide)")
	caughtByEngine(t, lifeMutants, 1, "^TestACopyOfWhatIsForgotten$")
	caughtByEngine(t, changeMutants, 2_000, "^TestA(Rule|Late)", "^TestChanges")
	caught(t, gateMutants, "./api", []string{"."})
	caught(t, proofMutants, "./api/auth", []string{"."})
	caught(t, loopMutants, "./pipeline", []string{"^TestEverySchedule$/^torn$"}, "-sim.pairs=2000", "-sim.seeds=2000")
	caught(t, trimMutants, "./pipeline", []string{"^TestEverySchedule$/^trims$"}, "-sim.pairs=2000", "-sim.seeds=2000")
	caught(t, tornMutants, "./pipeline", []string{"^TestEachSnapshotIsTorn$"})
}

// caughtByEngine wants the tests of the engine to fail on each mutant. What went wrong once is played first: it takes no time.
// What is drawn is the same each time, so that a mutant lives or dies by what is in the tree.
func caughtByEngine(t *testing.T, mutants []mutant, checks int, tests ...string) {
	t.Helper()
	for _, m := range mutants {
		first, seed := []string{"^TestEngineOnWhatWentWrong$"}, 1
		if soon, ok := seeds[m.name]; ok {
			first, seed = nil, soon // what went wrong once does not show it
		}
		caught(t, []mutant{m}, "./correlate", slices.Concat(first, tests), fmt.Sprint("-rapid.checks=", checks), fmt.Sprint("-rapid.seed=", seed),
			"-rapid.nofailfile", "-rapid.shrinktime=0s")
	}
}

// caught wants some of the tests of a room, tried one after the other, to fail on each mutant.
func caught(t *testing.T, mutants []mutant, room string, tests []string, args ...string) {
	t.Helper()
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range mutants {
		t.Run(m.name, func(t *testing.T) {
			t.Parallel() // what a mutant is tested by uses one processor
			bin := m.build(t, root, room)
			for _, tests := range tests {
				cmd := exec.Command(bin, append([]string{"-test.run", tests, "-test.failfast", "-test.timeout=8m"}, args...)...)
				cmd.Dir = filepath.Join(root, room)
				out, err := cmd.CombinedOutput()
				switch {
				case err == nil:
					continue
				case strings.Contains(string(out), "panic: test timed out"):
					t.Errorf("the mutant lives, or hangs, for longer than it has:\n%s", out)
				case !strings.Contains(string(out), "--- FAIL: Test") && !strings.Contains(string(out), "panic"):
					t.Errorf("the mutant did not run:\n%s", out)
				}
				return
			}
			t.Errorf("the mutant lives")
		})
	}
}

// build makes the tests of a room with the mutant in its file's place.
func (m mutant) build(t *testing.T, root, room string) string {
	t.Helper()
	src, err := os.ReadFile(filepath.Join(root, m.file))
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(src), m.from); n != 1 {
		t.Fatalf("%s has %q %d times: the list is behind the code", m.file, m.from, n)
	}
	dir := t.TempDir()
	changed, file, bin := filepath.Join(dir, "mutant.go"), filepath.Join(dir, "overlay.json"), filepath.Join(dir, "mutant.test")
	if err := os.WriteFile(changed, []byte(strings.Replace(string(src), m.from, m.to, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	overlay, err := json.Marshal(map[string]any{"Replace": map[string]string{filepath.Join(root, m.file): changed}})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, overlay, 0o600); err != nil {
		t.Fatal(err)
	}
	// What is tested is a mutant: what vet would say of it nobody reads.
	cmd := exec.Command("go", "test", "-c", "-vet=off", "-ldflags=-s -w", "-overlay", file, "-o", bin, room)
	cmd.Dir = root
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("the mutant was not built: %v\n%s", err, out)
	}
	return bin
}
