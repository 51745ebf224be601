-- SPDX-License-Identifier: Apache-2.0
-- What was made again is known by its evidence, in whatever order a log is sent again.

-- It holds up nobody who commits, and begins again where it was cut off.
-- +goose NO TRANSACTION
-- +goose Up
-- The beginning of a key: a whole one may be longer than an index takes.
DROP INDEX CONCURRENTLY IF EXISTS incidents_of_key;
CREATE INDEX CONCURRENTLY incidents_of_key ON incidents (rule, substr(key, 1, 64), last_event, first_event);

-- news is true from the first evidence that no other incident has, until the end of the commit that has it.
-- +goose StatementBegin
DO $$ BEGIN
    SET LOCAL lock_timeout = '2s';
    ALTER TABLE repeats ADD COLUMN IF NOT EXISTS news BOOLEAN NOT NULL DEFAULT FALSE;
END $$;
-- +goose StatementEnd
-- Processes of the version before write to lives still: nobody reads it.
