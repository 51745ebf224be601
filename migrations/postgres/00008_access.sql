-- SPDX-License-Identifier: Apache-2.0
-- Who may do what, who did what, and where what is known of a detection happened.

-- +goose Up
-- Of tokens and sessions the hash alone is kept.
CREATE TABLE api_tokens (
    seq        BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id         BYTEA  NOT NULL UNIQUE,
    name       TEXT   NOT NULL,
    hash       BYTEA  NOT NULL UNIQUE,
    roles      TEXT   NOT NULL,
    scope      TEXT   NOT NULL,
    created    BIGINT NOT NULL,
    created_by TEXT   NOT NULL,
    expires    BIGINT NOT NULL,
    revoked    BIGINT NOT NULL DEFAULT 0,
    last_used  BIGINT NOT NULL DEFAULT 0
);
CREATE UNIQUE INDEX api_tokens_name ON api_tokens (name) WHERE revoked = 0;

CREATE TABLE sessions (
    hash    BYTEA  PRIMARY KEY,
    name    TEXT   NOT NULL,
    subject TEXT   NOT NULL,
    roles   TEXT   NOT NULL,
    scope   TEXT   NOT NULL,
    created BIGINT NOT NULL,
    expires BIGINT NOT NULL
);
CREATE INDEX sessions_expire ON sessions (expires);

-- Append only: of an entry only what became of the act is written later, once.
CREATE TABLE audit (
    id        BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at        BIGINT NOT NULL,
    actor     TEXT   NOT NULL,
    via       TEXT   NOT NULL,
    operation TEXT   NOT NULL,
    object    TEXT   NOT NULL,
    remote    TEXT   NOT NULL,
    request   TEXT   NOT NULL,
    outcome   TEXT   NOT NULL,
    status    BIGINT NOT NULL,
    finished  BIGINT NOT NULL DEFAULT 0
);
CREATE INDEX audit_actor ON audit (actor, id);
CREATE INDEX audit_operation ON audit (operation, id);

-- +goose StatementBegin
CREATE FUNCTION audit_is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND OLD.outcome = 'started'
        AND (NEW.id, NEW.at, NEW.actor, NEW.via, NEW.operation, NEW.object, NEW.remote, NEW.request)
          = (OLD.id, OLD.at, OLD.actor, OLD.via, OLD.operation, OLD.object, OLD.remote, OLD.request) THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'the audit log is append only';
END $$;
-- +goose StatementEnd
CREATE TRIGGER audit_stays BEFORE UPDATE OR DELETE ON audit FOR EACH ROW EXECUTE FUNCTION audit_is_append_only();
CREATE TRIGGER audit_keeps BEFORE TRUNCATE ON audit FOR EACH STATEMENT EXECUTE FUNCTION audit_is_append_only();

-- Cluster and namespace of each piece of evidence, each pair once for a detection; one of them is '' where the event named none.
CREATE TABLE detection_places (
    detection BYTEA NOT NULL,
    cluster   TEXT  NOT NULL,
    namespace TEXT  NOT NULL,
    PRIMARY KEY (detection, cluster, namespace)
);
