-- SPDX-License-Identifier: Apache-2.0
-- Which incident was written last, and in which order: who follows incidents reads on from where they were.

-- +goose Up
-- There is one writer at a time, so the order of numbers is that of commits. One that was given is not given again.
CREATE TABLE incident_changes (
    at       INTEGER PRIMARY KEY AUTOINCREMENT,
    incident BLOB    NOT NULL UNIQUE
);

-- By a trigger, so that whatever writes to an incident need not know of it.
-- +goose StatementBegin
CREATE TRIGGER incidents_added AFTER INSERT ON incidents BEGIN
    DELETE FROM incident_changes WHERE incident = NEW.id;
    INSERT INTO incident_changes (incident) VALUES (NEW.id);
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER incidents_rewritten AFTER UPDATE ON incidents BEGIN
    DELETE FROM incident_changes WHERE incident = NEW.id;
    INSERT INTO incident_changes (incident) VALUES (NEW.id);
END;
-- +goose StatementEnd
