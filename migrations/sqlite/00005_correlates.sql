-- SPDX-License-Identifier: Apache-2.0
-- Who only claims alerts is a member, too, and has no share of the partitions. Earlier versions know no such members: theirs correlate.

-- +goose Up
ALTER TABLE members ADD COLUMN correlates BOOLEAN NOT NULL DEFAULT TRUE;
