-- SPDX-License-Identifier: Apache-2.0
-- Which incidents hold alerts back: what they hold is looked at again when they are over.

-- It holds up nobody who commits, and begins again where it was cut off.
-- +goose NO TRANSACTION
-- +goose Up
DROP INDEX CONCURRENTLY IF EXISTS outbox_held;
CREATE INDEX CONCURRENTLY outbox_held ON outbox (silenced_by, state, finished) WHERE state = 'silenced' AND finished = 0;
