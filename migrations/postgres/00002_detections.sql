-- SPDX-License-Identifier: Apache-2.0
-- An alert may be about one detection of an incident, and receivers that take alerts in order get the oldest first.

-- +goose Up
ALTER TABLE outbox ADD COLUMN detection TEXT NOT NULL DEFAULT '';
ALTER TABLE outbox DROP CONSTRAINT outbox_incident_revision_receiver_key;
ALTER TABLE outbox ADD UNIQUE (incident, revision, receiver, detection);
CREATE INDEX outbox_receiver ON outbox (receiver, id) WHERE state = 'pending';
