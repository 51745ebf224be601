-- SPDX-License-Identifier: Apache-2.0
-- A Merkle tree (RFC 6962) over the audit log: what has entered it cannot be changed without being found out.

-- +goose Up
-- The place of an entry in the tree, from 0 and without gaps, in the order in which they entered: ids have gaps, and come late.
ALTER TABLE audit ADD COLUMN leaf INTEGER;
CREATE UNIQUE INDEX audit_leaf ON audit (leaf);
CREATE INDEX audit_unsealed ON audit (id) WHERE leaf IS NULL;
-- As long as the path of one incident.
CREATE INDEX audit_object ON audit (substr(object, 1, 50), leaf);

-- The hashes of the tree in the order of Crosby and Wallach: the tree's own, each written once.
CREATE TABLE audit_hashes (
    at   INTEGER PRIMARY KEY,
    hash BLOB    NOT NULL
);
-- One row, which who adds to the tree locks.
CREATE TABLE audit_tree (
    id   INTEGER PRIMARY KEY,
    size INTEGER NOT NULL
);
INSERT INTO audit_tree (id, size) VALUES (1, 0);
-- The newest that each key has signed.
CREATE TABLE audit_checkpoints (
    key  TEXT    PRIMARY KEY,
    size INTEGER NOT NULL,
    note TEXT    NOT NULL,
    at   INTEGER NOT NULL
) WITHOUT ROWID;

-- What became of an act is written once, and not after the entry has its place; the place, once.
DROP TRIGGER audit_stays;
-- +goose StatementBegin
CREATE TRIGGER audit_stays BEFORE UPDATE ON audit
WHEN OLD.leaf IS NOT NULL OR NEW.id <> OLD.id OR NEW.at <> OLD.at OR NEW.actor <> OLD.actor OR NEW.via <> OLD.via
    OR NEW.operation <> OLD.operation OR NEW.object <> OLD.object OR NEW.remote <> OLD.remote OR NEW.request <> OLD.request
    OR NEW.leaf IS NULL AND OLD.outcome <> 'started'
    OR NEW.leaf IS NOT NULL AND (NEW.outcome <> OLD.outcome OR NEW.status <> OLD.status OR NEW.finished <> OLD.finished)
BEGIN
    SELECT RAISE(ABORT, 'the audit log is append only');
END;
-- +goose StatementEnd
