-- SPDX-License-Identifier: Apache-2.0
-- The order in which detections were written.

-- +goose Up
CREATE INDEX detections_order ON detections (changed, id) WHERE changed > 0;

-- There is one writer at a time, so the order of numbers is that of commits. One that was given is not given again, though its detection be deleted.
CREATE TABLE detection_order (
    id   INTEGER PRIMARY KEY,
    last INTEGER NOT NULL
);
INSERT INTO detection_order (id, last) VALUES (1, 0);

-- By triggers, so that whatever writes to a detection need not know of it.
-- +goose StatementBegin
CREATE TRIGGER detections_added AFTER INSERT ON detections BEGIN
    UPDATE detection_order SET last = last + 1;
    UPDATE detections SET changed = (SELECT last FROM detection_order) WHERE id = NEW.id;
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER detections_rewritten AFTER UPDATE ON detections WHEN NEW.changed = OLD.changed BEGIN
    UPDATE detection_order SET last = last + 1;
    UPDATE detections SET changed = (SELECT last FROM detection_order) WHERE id = NEW.id;
END;
-- +goose StatementEnd
