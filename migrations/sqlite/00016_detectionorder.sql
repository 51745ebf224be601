-- SPDX-License-Identifier: Apache-2.0
-- The order in which detections were written.

-- +goose Up
CREATE INDEX detections_order ON detections (changed, id) WHERE changed > 0;

-- By triggers, so that whatever writes to a detection need not know of it. There is one writer at a time, so the order of numbers is that of commits.
-- +goose StatementBegin
CREATE TRIGGER detections_added AFTER INSERT ON detections BEGIN
    UPDATE detections SET changed = 1 + (SELECT coalesce(max(changed), 0) FROM detections WHERE changed > 0) WHERE id = NEW.id;
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER detections_rewritten AFTER UPDATE ON detections WHEN NEW.changed = OLD.changed BEGIN
    UPDATE detections SET changed = 1 + (SELECT coalesce(max(changed), 0) FROM detections WHERE changed > 0) WHERE id = NEW.id;
END;
-- +goose StatementEnd
