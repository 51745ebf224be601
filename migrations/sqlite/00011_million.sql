-- SPDX-License-Identifier: Apache-2.0
-- Lists answer soon when there are many incidents.

-- +goose Up
-- What began after a time is passed by within the index.
DROP INDEX incidents_newest;
CREATE INDEX incidents_newest ON incidents (last_event DESC, id DESC, first_event);
