-- SPDX-License-Identifier: Apache-2.0
-- A Merkle tree (RFC 6962) over the audit log: what has entered it cannot be changed without being found out.

-- It holds up nobody who commits, and begins again where it was cut off.
-- +goose NO TRANSACTION
-- +goose Up
-- The place of an entry in the tree, from 0 and without gaps, in the order in which they entered: ids have gaps, and come late. While it waits for
-- who reads the table, writers wait behind it: not for long, and it is tried again.
-- +goose StatementBegin
DO $$ BEGIN
    SET LOCAL lock_timeout = '2s';
    ALTER TABLE audit ADD COLUMN IF NOT EXISTS leaf BIGINT;
END $$;
-- +goose StatementEnd
DROP INDEX CONCURRENTLY IF EXISTS audit_leaf;
CREATE UNIQUE INDEX CONCURRENTLY audit_leaf ON audit (leaf);
DROP INDEX CONCURRENTLY IF EXISTS audit_unsealed;
CREATE INDEX CONCURRENTLY audit_unsealed ON audit (id) WHERE leaf IS NULL;
-- As long as the path of one incident.
DROP INDEX CONCURRENTLY IF EXISTS audit_object;
CREATE INDEX CONCURRENTLY audit_object ON audit (substr(object, 1, 50), leaf);

-- The hashes of the tree in the order of Crosby and Wallach: the tree's own, each written once.
CREATE TABLE IF NOT EXISTS audit_hashes (
    at   BIGINT PRIMARY KEY,
    hash BYTEA  NOT NULL
);
-- One row, which who adds to the tree locks.
CREATE TABLE IF NOT EXISTS audit_tree (
    id   BIGINT PRIMARY KEY,
    size BIGINT NOT NULL
);
INSERT INTO audit_tree (id, size) VALUES (1, 0) ON CONFLICT (id) DO NOTHING;
-- The newest that each key has signed.
CREATE TABLE IF NOT EXISTS audit_checkpoints (
    key  TEXT   PRIMARY KEY,
    size BIGINT NOT NULL,
    note TEXT   NOT NULL,
    at   BIGINT NOT NULL
);

-- What became of an act is written once, and not after the entry has its place; the place, once.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION audit_is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND OLD.leaf IS NULL
        AND (NEW.id, NEW.at, NEW.actor, NEW.via, NEW.operation, NEW.object, NEW.remote, NEW.request)
          = (OLD.id, OLD.at, OLD.actor, OLD.via, OLD.operation, OLD.object, OLD.remote, OLD.request)
        AND (OLD.outcome = 'started' AND NEW.leaf IS NULL
          OR NEW.leaf IS NOT NULL AND (NEW.outcome, NEW.status, NEW.finished) = (OLD.outcome, OLD.status, OLD.finished)) THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'the audit log is append only';
END $$;
-- +goose StatementEnd
