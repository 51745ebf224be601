-- SPDX-License-Identifier: Apache-2.0
-- What people do with incidents, and what they merge.

-- +goose Up
-- What people write; the engine never writes it (I4). work grows with each act. joined_into is where somebody merged it: an incident
-- that is itself joined into none, so that a whole and its parts are one step apart.
ALTER TABLE incidents ADD COLUMN work BIGINT NOT NULL DEFAULT 0;
ALTER TABLE incidents ADD COLUMN joined_into BYTEA;

-- One that people merged is not live either.
DROP INDEX incidents_by_status;
DROP INDEX incidents_by_severity;
ALTER TABLE incidents DROP COLUMN live;
ALTER TABLE incidents ADD COLUMN live BOOLEAN GENERATED ALWAYS AS (merged_into IS NULL AND joined_into IS NULL AND NOT retracted) STORED;
CREATE INDEX incidents_by_status ON incidents (shown, last_event DESC, id DESC) WHERE live;
CREATE INDEX incidents_by_severity ON incidents (severity, last_event DESC, id DESC) WHERE live;
CREATE INDEX incidents_joined ON incidents (joined_into) WHERE joined_into IS NOT NULL;
-- What the engine joined goes where the engine says.
CREATE INDEX incidents_parts ON incidents (coalesce(merged_into, joined_into)) WHERE coalesce(merged_into, joined_into) IS NOT NULL;

-- A merge is an act on two incidents: other is the one that was merged into. key_hash is of who acted and their idempotency
-- key, body_hash of what they asked.
CREATE TABLE incident_acts (
    id        BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    incident  BYTEA  NOT NULL,
    other     BYTEA,
    at        BIGINT NOT NULL,
    actor     TEXT   NOT NULL,
    kind      TEXT   NOT NULL,
    detail    TEXT   NOT NULL,
    key_hash  BYTEA  UNIQUE,
    body_hash BYTEA
);
CREATE INDEX incident_acts_of ON incident_acts (incident, at, id);
CREATE INDEX incident_acts_other ON incident_acts (other, at, id) WHERE other IS NOT NULL;
-- An incident is closed once.
CREATE UNIQUE INDEX incident_acts_close ON incident_acts (incident) WHERE kind = 'close';
INSERT INTO incident_acts (incident, at, actor, kind, detail)
SELECT id, closed_at, closed_by, 'close', '{"verdict":"' || verdict || '"}' FROM incidents
WHERE closed_at <> 0 AND verdict IN ('true_positive', 'benign', 'false_positive');

-- Who merges or takes apart has this row: two who do it at once could make a circle.
CREATE TABLE joining (one INTEGER PRIMARY KEY, turns BIGINT NOT NULL);
INSERT INTO joining VALUES (1, 0);
