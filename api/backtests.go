// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"errors"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"tocsin/event"
	"tocsin/incident"
)

// Backtest is a run of rules over the events that are kept, as it is now.
type Backtest struct {
	ID    string `json:"id"`
	State string `json:"state" enum:"waiting,running,done,failed,cancelled"`
	// Rules are the ids of those that were posted.
	Rules []string `json:"rules"`
	// Done of Of messages of the log have been read; Searched and Matched count the events in them.
	Done     int64  `json:"done"`
	Of       int64  `json:"of"`
	Searched int64  `json:"searched"`
	Matched  int64  `json:"matched"`
	Error    string `json:"error,omitempty"`
	// Result is there when it is done.
	Result *BacktestResult `json:"result,omitempty"`
}

// BacktestResult is what the rules would have made.
type BacktestResult struct {
	// IncidentCount is how many incidents there would be; the first hundred by their first event are listed.
	IncidentCount int                `json:"incident_count"`
	Incidents     []BacktestIncident `json:"incidents"`
	// MatchesPerDay counts the events that a rule matches, by day of their arrival (UTC).
	MatchesPerDay map[string]int64 `json:"matches_per_day"`
	// NearMisses are keys that came part-way, the furthest first, fifty of each rule; NearLeftOut says that there were too many matches to look for them.
	NearMisses  []NearMiss `json:"near_misses"`
	NearLeftOut bool       `json:"near_left_out"`
	// Stopped: there were more than 10,000 detections or 512 MiB of matches, and nothing after Until was looked at.
	Stopped bool        `json:"stopped"`
	Until   event.Stamp `json:"until"`
	// Comparison is there if it was asked for.
	Comparison *BacktestComparison `json:"comparison,omitempty"`
}

// BacktestComparison is what the rules make that the versions in force, those with the same ids, do not, and the other way round.
// Incidents of one rule and key that overlap in time are one.
type BacktestComparison struct {
	// Same are those that are the same in everything but their ids, Added only the posted rules make, Removed only those in force;
	// Changed are others than they were.
	Same    int `json:"same"`
	Added   int `json:"added"`
	Removed int `json:"removed"`
	Changed int `json:"changed"`
	// Differences are the first hundred by their first event.
	Differences []BacktestDifference `json:"differences"`
}

// BacktestDifference is an incident that is there or not, or is another.
type BacktestDifference struct {
	Change string `json:"change" enum:"added,removed,changed"`
	// Fields are what changed, by the names that an incident has for it.
	Fields []string `json:"fields,omitempty"`
	// Before is left out of what was added, After of what was removed.
	Before *BacktestIncident `json:"before,omitempty"`
	After  *BacktestIncident `json:"after,omitempty"`
}

// BacktestIncident is an incident that a rule would have made.
type BacktestIncident struct {
	Rule       string         `json:"rule"`
	Title      string         `json:"title"`
	Severity   string         `json:"severity"`
	Key        map[string]any `json:"key"`
	FirstEvent event.Stamp    `json:"first_event"`
	LastEvent  event.Stamp    `json:"last_event"`
	EventCount int64          `json:"event_count"`
}

// NearMiss is how far one key of a rule came.
type NearMiss struct {
	Rule string         `json:"rule"`
	Key  map[string]any `json:"key"`
	// At is when most of the condition held; Done says that the rule fires.
	At    event.Stamp `json:"at"`
	Done  bool        `json:"done"`
	Steps []NearStep  `json:"steps"`
}

// NearStep is one part of a condition, and how far a key came with it.
type NearStep struct {
	What string `json:"what"`
	// Have of Need events or values; Need is 0 of every other part.
	Have int64 `json:"have"`
	Need int64 `json:"need"`
	Done bool  `json:"done"`
	// Value is the number that the part compares, where that is not Have of Need.
	Value string `json:"value,omitempty"`
	// Against is the id of an event that contradicts an absence.
	Against string `json:"against,omitempty"`
	// Open: what is kept ends before it is known.
	Open bool `json:"open,omitempty"`
}

// NearMisses is how far the keys of a rule came.
type NearMisses struct {
	Items []NearMiss `json:"items"`
	// Keys is how many there are.
	Keys int `json:"keys"`
	// Since is the arrival from which on events were read; Complete is false if the rule reaches further back.
	Since    event.Stamp `json:"since"`
	Complete bool        `json:"complete"`
}

// BacktestStart is what is asked for.
type BacktestStart struct {
	Rule         string
	Since, Until int64
	// Compare has the versions in force run, too.
	Compare bool
}

type backtestOutput struct {
	Location string `header:"Location"`
	Body     Backtest
}

type backtestID struct {
	ID string `path:"id" maxLength:"64"`
}

// notHere is said of a job that this process does not know.
const notHere = "this process has no such backtest: it ended more than an hour ago, or another replica or an earlier start of this one has it"

func (s *server) registerBacktests(h huma.API) {
	huma.Register(h, huma.Operation{
		OperationID: "start-backtest", Method: http.MethodPost, Path: "/api/v1/backtests", Summary: "Run a rule over the events that are kept", DefaultStatus: http.StatusAccepted,
		Description: "The answer is a job: Location says where it stands. It makes what the engine would have made, and nothing of it is kept or told of. Rules " +
			"in force may be named by detection(…), and their lists by listed(…); one with the same id is replaced. One runs at a time and four wait; further ones " +
			"are refused with 503. A job lives in the memory of the process that was asked, for an hour after its end.",
	}, func(ctx context.Context, in *struct {
		Body struct {
			Rule  string `json:"rule" minLength:"1" doc:"rule file: one rule or several, as YAML"`
			Since string `json:"since,omitempty" maxLength:"64" doc:"arrival from here on: RFC 3339, or a span back from now such as 24h"`
			Until string `json:"until,omitempty" maxLength:"64" doc:"arrival before this"`

			Compare bool `json:"compare,omitempty" doc:"run the versions in force of the same rules, too, and say what differs"`
		}
	}) (*backtestOutput, error) {
		q := BacktestStart{Rule: in.Body.Rule, Compare: in.Body.Compare}
		var err error
		if q.Since, err = moment("since", in.Body.Since, s.Now()); err == nil {
			q.Until, err = moment("until", in.Body.Until, s.Now())
		}
		if err != nil {
			return nil, problem(http.StatusUnprocessableEntity, err.Error())
		}
		job, err := s.Backend.StartBacktest(ctx, q)
		if bad, ok := errors.AsType[*BadRulesError](err); ok {
			m := problem(http.StatusUnprocessableEntity, "the rule is wrong")
			for _, mistake := range bad.Mistakes {
				m.Errors = append(m.Errors, &huma.ErrorDetail{Message: mistake, Location: "body.rule"})
			}
			return nil, m
		}
		if err != nil {
			return nil, unwell(err)
		}
		return &backtestOutput{"/api/v1/backtests/" + job.ID, job}, nil
	})
	huma.Register(h, huma.Operation{
		OperationID: "get-backtest", Method: http.MethodGet, Path: "/api/v1/backtests/{id}", Summary: "How far a backtest is, and what it found",
	}, func(ctx context.Context, in *backtestID) (*one[Backtest], error) {
		job, err := s.Backend.Backtest(ctx, in.ID)
		if err != nil {
			return nil, problem(http.StatusNotFound, notHere)
		}
		return &one[Backtest]{job}, nil
	})
	huma.Register(h, huma.Operation{
		OperationID: "cancel-backtest", Method: http.MethodDelete, Path: "/api/v1/backtests/{id}", Summary: "Cancel a backtest", DefaultStatus: http.StatusNoContent,
	}, func(ctx context.Context, in *backtestID) (*struct{}, error) {
		if err := s.Backend.CancelBacktest(ctx, in.ID); err != nil {
			return nil, problem(http.StatusNotFound, notHere)
		}
		return nil, nil
	})
	huma.Register(h, huma.Operation{
		OperationID: "near-misses", Method: http.MethodGet, Path: "/api/v1/rules/{id}/near", Summary: "How far the keys of a rule came, the furthest first",
		Description: "Over the events that are kept, as far back as the rule reaches or five seconds of reading go: `complete` says which. It counts as a search.",
	}, func(ctx context.Context, in *struct {
		ID string `path:"id" maxLength:"200"`
	}) (*one[NearMisses], error) {
		out, err := s.Backend.NearMisses(ctx, in.ID, nil)
		if errors.Is(err, incident.ErrNotFound) {
			return nil, problem(http.StatusNotFound, "there is no rule with this id")
		}
		if err != nil {
			return nil, unwell(err)
		}
		return &one[NearMisses]{out}, nil
	})
}
