-- SPDX-License-Identifier: Apache-2.0
-- Which transaction wrote a detection last: who follows detections reads on from where they were. 0 was before this.

-- +goose Up
-- While it waits for who reads the table, writers wait behind it: not for long, and it is tried again.
SET LOCAL lock_timeout = '2s';
ALTER TABLE detections ADD COLUMN changed BIGINT NOT NULL DEFAULT 0;

-- By a trigger, so that whatever writes to a detection need not know of it.
-- +goose StatementBegin
CREATE FUNCTION detection_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.changed := pg_current_xact_id()::text::bigint;
    RETURN NEW;
END $$;
-- +goose StatementEnd
CREATE TRIGGER detections_changed BEFORE INSERT OR UPDATE ON detections FOR EACH ROW EXECUTE FUNCTION detection_changed();
