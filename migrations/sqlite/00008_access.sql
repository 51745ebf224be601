-- SPDX-License-Identifier: Apache-2.0
-- Who may do what, who did what, and where what is known of a detection happened.

-- +goose Up
-- Of tokens and sessions the hash alone is kept.
CREATE TABLE api_tokens (
    seq        INTEGER PRIMARY KEY AUTOINCREMENT,
    id         BLOB    NOT NULL UNIQUE,
    name       TEXT    NOT NULL,
    hash       BLOB    NOT NULL UNIQUE,
    roles      TEXT    NOT NULL,
    scope      TEXT    NOT NULL,
    created    INTEGER NOT NULL,
    created_by TEXT    NOT NULL,
    expires    INTEGER NOT NULL,
    revoked    INTEGER NOT NULL DEFAULT 0,
    last_used  INTEGER NOT NULL DEFAULT 0
);
CREATE UNIQUE INDEX api_tokens_name ON api_tokens (name) WHERE revoked = 0;

CREATE TABLE sessions (
    hash    BLOB    PRIMARY KEY,
    name    TEXT    NOT NULL,
    subject TEXT    NOT NULL,
    roles   TEXT    NOT NULL,
    scope   TEXT    NOT NULL,
    created INTEGER NOT NULL,
    expires INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX sessions_expire ON sessions (expires);

-- Append only: of an entry only what became of the act is written later, once.
CREATE TABLE audit (
    id        INTEGER PRIMARY KEY AUTOINCREMENT,
    at        INTEGER NOT NULL,
    actor     TEXT    NOT NULL,
    via       TEXT    NOT NULL,
    operation TEXT    NOT NULL,
    object    TEXT    NOT NULL,
    remote    TEXT    NOT NULL,
    request   TEXT    NOT NULL,
    outcome   TEXT    NOT NULL,
    status    INTEGER NOT NULL,
    finished  INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX audit_actor ON audit (actor, id);
CREATE INDEX audit_operation ON audit (operation, id);

-- +goose StatementBegin
CREATE TRIGGER audit_keeps BEFORE DELETE ON audit BEGIN
    SELECT RAISE(ABORT, 'the audit log is append only');
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER audit_stays BEFORE UPDATE ON audit
WHEN OLD.outcome <> 'started' OR NEW.id <> OLD.id OR NEW.at <> OLD.at OR NEW.actor <> OLD.actor OR NEW.via <> OLD.via
    OR NEW.operation <> OLD.operation OR NEW.object <> OLD.object OR NEW.remote <> OLD.remote OR NEW.request <> OLD.request
BEGIN
    SELECT RAISE(ABORT, 'the audit log is append only');
END;
-- +goose StatementEnd
-- +goose StatementBegin
-- REPLACE deletes without the trigger of a deletion.
CREATE TRIGGER audit_adds BEFORE INSERT ON audit WHEN EXISTS (SELECT 1 FROM audit WHERE id = NEW.id) BEGIN
    SELECT RAISE(ABORT, 'the audit log is append only');
END;
-- +goose StatementEnd

-- Cluster and namespace of each piece of evidence, each pair once for a detection; one of them is '' where the event named none.
CREATE TABLE detection_places (
    detection BLOB NOT NULL,
    cluster   TEXT NOT NULL,
    namespace TEXT NOT NULL,
    PRIMARY KEY (detection, cluster, namespace)
) WITHOUT ROWID;
