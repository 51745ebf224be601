-- SPDX-License-Identifier: Apache-2.0
-- Alerts that are silenced, how each is to be told, and what receivers know of incidents.

-- +goose Up
-- terms is how an alert is to be told, as JSON; silenced_by names what keeps it from being told, state 'silenced'. One that is
-- silenced and finished will not be told any more.
ALTER TABLE outbox ADD COLUMN terms TEXT NOT NULL DEFAULT '';
ALTER TABLE outbox ADD COLUMN silenced_by TEXT NOT NULL DEFAULT '';
CREATE INDEX outbox_silenced ON outbox (not_before) WHERE state = 'silenced' AND finished = 0;

-- The last alert about an incident that a receiver took, where its like is kept, and when it is told again by itself: 0 is never.
CREATE TABLE told (
    incident  BYTEA  NOT NULL,
    receiver  TEXT   NOT NULL,
    revision  BIGINT NOT NULL,
    kind      TEXT   NOT NULL,
    body      BYTEA  NOT NULL,
    place     TEXT   NOT NULL,
    -- resend is after what time it is sent again as it is, repeat after what time another alert reminds of the incident.
    resend    BIGINT NOT NULL,
    repeat    BIGINT NOT NULL,
    again_at  BIGINT NOT NULL,
    -- until is when it has been sent again for long enough: 0 is as long as the incident is open.
    until     BIGINT NOT NULL,
    -- times is how often it was reminded of, status the incident's that the receiver knows.
    times     BIGINT NOT NULL,
    status    TEXT   NOT NULL,
    terms     TEXT   NOT NULL,
    PRIMARY KEY (incident, receiver)
);
CREATE INDEX told_repeat ON told (again_at) WHERE again_at > 0 AND repeat > 0;
CREATE INDEX told_resend ON told (receiver, again_at) WHERE again_at > 0 AND resend > 0;

CREATE TABLE silences (
    seq      BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id       BYTEA  NOT NULL UNIQUE,
    matchers TEXT   NOT NULL,
    comment  TEXT   NOT NULL,
    creator  TEXT   NOT NULL,
    starts   BIGINT NOT NULL,
    ends     BIGINT NOT NULL,
    created  BIGINT NOT NULL,
    revision BIGINT NOT NULL
);
CREATE INDEX silences_end ON silences (ends);
