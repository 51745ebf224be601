-- SPDX-License-Identifier: Apache-2.0
-- Lists answer soon when there are a million incidents.

-- It holds up nobody who commits, and begins again where it was cut off.
-- +goose NO TRANSACTION
-- +goose Up
-- What began after a time is passed by within the index.
DROP INDEX CONCURRENTLY IF EXISTS incidents_newest_next;
CREATE INDEX CONCURRENTLY incidents_newest_next ON incidents (last_event DESC, id DESC, first_event);
DROP INDEX CONCURRENTLY IF EXISTS incidents_newest;
ALTER INDEX incidents_newest_next RENAME TO incidents_newest;

-- Names and values of labels go together: counted apart, a label of half of all incidents is taken for one of a few.
CREATE STATISTICS IF NOT EXISTS incident_labels_pairs (mcv) ON label, value FROM incident_labels;
-- Every list asks for the parts of its incidents. Without this a part is expected in one of 200, and all incidents are read.
CREATE STATISTICS IF NOT EXISTS incidents_parts_of ON (coalesce(merged_into, joined_into)) FROM incidents;
ALTER TABLE incident_labels ALTER COLUMN value SET STATISTICS 1000;
ANALYZE incident_labels, incidents;
