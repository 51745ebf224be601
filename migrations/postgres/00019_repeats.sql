-- SPDX-License-Identifier: Apache-2.0
-- What was made again of a log that was sent again when the engine had forgotten the first time.

-- +goose Up
-- The detections of a later life, and with the number 0 the first of each such origin, be it there or not.
CREATE TABLE lives (
    detection BYTEA PRIMARY KEY,
    origin    BYTEA NOT NULL,
    life      BIGINT NOT NULL
);
CREATE INDEX lives_by_origin ON lives (origin, life);

-- Incidents that have nothing but copies of what others have: nobody was told of them.
CREATE TABLE repeats (
    incident BYTEA PRIMARY KEY
);
