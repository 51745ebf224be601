-- SPDX-License-Identifier: Apache-2.0
-- An alert may be about one detection of an incident, and receivers that take alerts in order get the oldest first.

-- +goose Up
CREATE TABLE outbox_next (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    incident    BLOB    NOT NULL,
    revision    INTEGER NOT NULL,
    receiver    TEXT    NOT NULL,
    detection   TEXT    NOT NULL DEFAULT '',
    kind        TEXT    NOT NULL,
    body        BLOB    NOT NULL,
    state       TEXT    NOT NULL DEFAULT 'pending',
    attempts    INTEGER NOT NULL DEFAULT 0,
    created     INTEGER NOT NULL,
    not_before  INTEGER NOT NULL,
    lease_owner TEXT    NOT NULL DEFAULT '',
    lease_until INTEGER NOT NULL DEFAULT 0,
    finished    INTEGER NOT NULL DEFAULT 0,
    error       TEXT    NOT NULL DEFAULT '',
    UNIQUE (incident, revision, receiver, detection)
);
INSERT INTO outbox_next (id, incident, revision, receiver, kind, body, state, attempts, created, not_before, lease_owner, lease_until, finished, error)
SELECT id, incident, revision, receiver, kind, body, state, attempts, created, not_before, lease_owner, lease_until, finished, error FROM outbox ORDER BY id;
DROP TABLE outbox;
ALTER TABLE outbox_next RENAME TO outbox;
CREATE INDEX outbox_due ON outbox (not_before, id) WHERE state = 'pending';
CREATE INDEX outbox_order ON outbox (incident, receiver, id) WHERE state = 'pending';
CREATE INDEX outbox_dead ON outbox (id) WHERE state = 'dead';
CREATE INDEX outbox_receiver ON outbox (receiver, id) WHERE state = 'pending';
