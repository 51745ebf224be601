-- SPDX-License-Identifier: Apache-2.0
-- Which incidents hold alerts back: what they hold is looked at again when they are over.

-- +goose Up
CREATE INDEX outbox_held ON outbox (silenced_by, state, finished) WHERE state = 'silenced' AND finished = 0;
