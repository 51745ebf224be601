// SPDX-License-Identifier: Apache-2.0

package ingest

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"regexp"
	"runtime"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"tocsin/event"
)

// answerWithin is the longest that a sender waits: Vector gives up after 60 s, and a slow answer slows its
// adaptive concurrency.
const answerWithin = 20 * time.Second

// ErrUnavailable is what Commit returns when the stream does not accept: 503, and the sender tries again.
var ErrUnavailable = errors.New("the stream does not accept records now")

// errAgain is all that a sender learns when its records are not on disk.
var errAgain = errors.New("the stream does not accept records now: send them again")

// Quarantined is a Record that could not be taken, and why.
type Quarantined struct {
	Record         event.Record
	Reason, Detail string
}

// HandlerConfig is what the ingest endpoint needs.
type HandlerConfig struct {
	// Commit returns when all records are on disk. It may be called by many at once.
	Commit func(context.Context, []event.Record) error
	// Quarantine returns when all entries are on disk.
	Quarantine func(context.Context, []Quarantined) error
	// Access says who may post, and what they may claim.
	Access Access
	// Parser reads of which cluster the records are that a sender who is bounded to some sends; nil is one that believes nothing more.
	Parser *Parser
	// MaxBody is the cap of a decompressed body in bytes; 0 is [MaxBody], which it cannot exceed.
	MaxBody int
	// InFlight bounds the bytes of all requests that are not on disk yet; nil is one of [MaxInFlight] for this endpoint alone.
	InFlight *Budget
	// Durations observes each request, by handler and code.
	Durations prometheus.ObserverVec
	Records   *prometheus.CounterVec
	// Refused counts the requests that were refused for who sent them, by reason. It may be nil.
	Refused *prometheus.CounterVec
	// Failed is told of each request that was refused though its sender may post. It may be nil.
	Failed func(input, source string, why error)
	Log    *slog.Logger
	// Committed is called between the commit of a request and its answer. Nil but in tests.
	Committed func()
}

type handler struct {
	HandlerConfig
	auth Authenticator
	// unpacking bounds how many bodies grow at once: that takes a processor each.
	unpacking chan struct{}
}

var sourceName = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,63}$`)

// IsSource reports whether records can be posted under a name.
func IsSource(name string) bool { return sourceName.MatchString(name) }

// NewHandler returns the ingest endpoint: POST and HEAD on /ingest/{source}, and on
// /ingest/{source}/{secret} for a sender that can set no header (Falco).
func NewHandler(cfg HandlerConfig) http.Handler {
	h := &handler{HandlerConfig: cfg, auth: NewAuthenticator(cfg.Access), unpacking: make(chan struct{}, runtime.GOMAXPROCS(0))}
	if h.InFlight == nil {
		h.InFlight = NewBudget(MaxInFlight)
	}
	if h.Parser == nil {
		h.Parser = NewParser(ParserConfig{})
	}
	mux := http.NewServeMux()
	for _, path := range []string{"/ingest/{source}", "/ingest/{source}/{secret}"} {
		mux.HandleFunc("POST "+path, h.post)
		mux.HandleFunc("HEAD "+path, h.head)
	}
	return mux
}

// head answers Vector's health check: only exactly 200 passes.
func (h *handler) head(w http.ResponseWriter, r *http.Request) {
	if _, no := h.auth.sender(r, r.PathValue("source")); no != nil {
		h.deny(w, no)
		return
	}
	w.WriteHeader(http.StatusOK)
}

func (h *handler) post(w http.ResponseWriter, r *http.Request) {
	start := time.Now()
	source := r.PathValue("source")
	code := h.take(w, r, source)
	if h.Durations != nil {
		h.Durations.WithLabelValues("ingest", strconv.Itoa(code)).Observe(time.Since(start).Seconds())
	}
}

// take does one request and returns the status that it answered.
func (h *handler) take(w http.ResponseWriter, r *http.Request, source string) int {
	if !IsSource(source) {
		return problem(w, http.StatusNotFound, fmt.Sprintf("%q is no name of a source: lower case letters, digits, - and _", source))
	}
	sender, no := h.auth.sender(r, source)
	if sender == nil {
		return h.deny(w, no)
	}
	input := cmp.Or(sender.Name, source)
	failed := func(why error) {
		if h.Failed != nil {
			h.Failed(input, source, why)
		}
	}
	if no != nil {
		failed(no)
		return h.deny(w, no)
	}
	refuse := func(status int, why error) int {
		failed(why)
		return problem(w, status, why.Error())
	}
	again := func(records int, why error) int {
		h.Log.Warn("ingest refuses", "source", source, "records", records, "err", why)
		w.Header().Set("Retry-After", "1")
		return refuse(http.StatusServiceUnavailable, errAgain)
	}
	if wait := sender.Wait(); wait > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(wait/time.Second)))
		return refuse(http.StatusTooManyRequests, fmt.Errorf("the token %q may send no more records for %s", sender.Name, wait))
	}
	ctx, cancel := context.WithTimeout(r.Context(), answerWithin)
	defer cancel()
	held := h.InFlight.Share()
	defer held.GiveBack()
	body, err := io.ReadAll(held.reader(http.MaxBytesReader(w, r.Body, MaxBody)))
	if err != nil {
		if errors.Is(err, ErrBusy) {
			return again(0, err)
		}
		if _, large := errors.AsType[*http.MaxBytesError](err); large {
			return refuse(http.StatusRequestEntityTooLarge, fmt.Errorf("the body is over %d bytes: lower batch.max_bytes", MaxBody))
		}
		return refuse(http.StatusBadRequest, fmt.Errorf("the body could not be read: %w", err))
	}
	plain, err := h.unpack(held, r.Header.Get("Content-Encoding"), body)
	var records []event.Record
	var bad, foreign []Quarantined
	switch {
	case errors.Is(err, ErrBusy):
		return again(0, err)
	case errors.Is(err, ErrTooLarge):
		return refuse(http.StatusRequestEntityTooLarge, fmt.Errorf("%w: lower batch.max_bytes", err))
	case errors.Is(err, ErrEncoding):
		return refuse(http.StatusUnsupportedMediaType, err)
	case err != nil:
		// Sending it again would not mend it.
		bad = []Quarantined{{event.Record{Input: input, Source: source, Raw: body}, "damaged_compression", err.Error()}}
	default:
		records, bad = h.records(input, source, plain)
		records, foreign = sender.Own(h.Parser, records, time.Now().UnixNano())
		bad = append(bad, foreign...)
	}
	if err := h.store(ctx, records, bad); err != nil {
		return again(len(records), err)
	}
	sender.Took(len(records) + len(bad))
	if h.Committed != nil {
		h.Committed()
	}
	h.count(source, len(records), bad)
	h.answer(w, len(records), len(bad), foreign)
	return http.StatusOK
}

// maxSaid bounds how many records of foreign clusters an answer names.
const maxSaid = 10

// answer says what became of the records. It is a success also where some are of clusters that are not the sender's: a refusal would have the sender
// drop the others with them, or send all of it again for ever.
func (h *handler) answer(w http.ResponseWriter, accepted, quarantined int, foreign []Quarantined) {
	out := struct {
		Accepted    int      `json:"accepted"`
		Quarantined int      `json:"quarantined"`
		Foreign     []string `json:"foreign,omitempty"`
	}{Accepted: accepted, Quarantined: quarantined}
	for _, q := range foreign[:min(len(foreign), maxSaid)] {
		out.Foreign = append(out.Foreign, q.Detail)
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(out) // a sender that went away has its records on disk all the same
	if len(foreign) > 0 && h.Refused != nil {
		h.Refused.WithLabelValues("cluster").Inc()
	}
}

// unpack decompresses a body. What that makes of it counts as held, too.
func (h *handler) unpack(held *Share, encoding string, body []byte) ([]byte, error) {
	h.unpacking <- struct{}{}
	defer func() { <-h.unpacking }()
	plain, err := Decompress(encoding, body, h.MaxBody)
	if err == nil && len(plain) > len(body) {
		err = held.Take(len(plain) - len(body))
	}
	return plain, err
}

// records splits a body and gives each record its provenance.
func (h *handler) records(input, source string, body []byte) ([]event.Record, []Quarantined) {
	split := Split
	if isAudit(source) {
		split = splitAudit
	}
	raws, bads := split(body)
	records := make([]event.Record, 0, len(raws))
	equal := make(map[[32]byte]uint32)
	for _, raw := range raws {
		rec := event.Record{Input: input, Source: source, Raw: raw}
		if len(raws) > 1 {
			sum := sha256.Sum256(raw)
			rec.Ordinal = equal[sum]
			equal[sum]++
		}
		records = append(records, rec)
	}
	var bad []Quarantined
	for _, b := range bads {
		bad = append(bad, Quarantined{event.Record{Input: input, Source: source, Raw: bytes.Clone(b.Raw)}, b.Reason, b.Err.Error()})
	}
	return records, bad
}

func (h *handler) store(ctx context.Context, records []event.Record, bad []Quarantined) error {
	if len(bad) > 0 {
		if err := h.Quarantine(ctx, bad); err != nil {
			return fmt.Errorf("quarantine: %w", err)
		}
	}
	if len(records) == 0 {
		return nil
	}
	return h.Commit(ctx, records)
}

func (h *handler) count(source string, accepted int, bad []Quarantined) {
	if h.Records == nil {
		return
	}
	h.Records.WithLabelValues(source, "accepted").Add(float64(accepted))
	for _, b := range bad {
		h.Records.WithLabelValues(source, "quarantined_"+b.Reason).Inc()
	}
}

// deny answers somebody who may not do this.
func (h *handler) deny(w http.ResponseWriter, no *Refusal) int {
	if h.Refused != nil {
		h.Refused.WithLabelValues(no.Reason).Inc()
	}
	if no.Stranger() {
		w.Header().Set("WWW-Authenticate", "Bearer")
		return problem(w, http.StatusUnauthorized, no.Detail)
	}
	return problem(w, http.StatusForbidden, no.Detail)
}

// problem answers with application/problem+json (RFC 9457) and returns the status.
func problem(w http.ResponseWriter, status int, detail string) int {
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(status)
	b, err := json.Marshal(map[string]any{
		"type": "https://tocsin.dev/problems/ingest", "title": http.StatusText(status), "status": status, "detail": detail,
	})
	if err == nil {
		_, _ = w.Write(append(b, '\n')) // a sender that went away has its answer
	}
	return status
}
