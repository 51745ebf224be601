-- SPDX-License-Identifier: Apache-2.0
-- Which incident was written last, and by which transaction: who follows incidents reads on from where they were.

-- +goose Up
-- The transaction is the place in the order: of all before the oldest that is under way nothing comes any more. A sequence would
-- not do, since who took a number first may commit last.
CREATE TABLE incident_changes (
    incident BYTEA  PRIMARY KEY,
    at       BIGINT NOT NULL
);
CREATE INDEX incident_changes_order ON incident_changes (at, incident);

-- By a trigger, so that whatever writes to an incident need not know of it.
-- +goose StatementBegin
CREATE FUNCTION incidents_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO incident_changes (incident, at)
    SELECT DISTINCT id, pg_current_xact_id()::text::bigint FROM written
    ON CONFLICT (incident) DO UPDATE SET at = excluded.at;
    RETURN NULL;
END $$;
-- +goose StatementEnd
CREATE TRIGGER incidents_added AFTER INSERT ON incidents
    REFERENCING NEW TABLE AS written FOR EACH STATEMENT EXECUTE FUNCTION incidents_changed();
CREATE TRIGGER incidents_rewritten AFTER UPDATE ON incidents
    REFERENCING NEW TABLE AS written FOR EACH STATEMENT EXECUTE FUNCTION incidents_changed();
