-- SPDX-License-Identifier: Apache-2.0
-- What was made again is known by its evidence, in whatever order a log is sent again.

-- +goose Up
-- The beginning of a key: a whole one may be long.
CREATE INDEX incidents_of_key ON incidents (rule, substr(key, 1, 64), last_event, first_event);

-- news is true from the first evidence that no other incident has, until the end of the commit that has it.
ALTER TABLE repeats ADD COLUMN news BOOLEAN NOT NULL DEFAULT FALSE;

-- A file has one process at a time: nothing of the version before writes to it any more.
DROP TABLE lives;
