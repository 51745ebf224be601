-- SPDX-License-Identifier: Apache-2.0
-- What became of each attempt to tell an alert, in the order in which that was written: who follows alerts reads on from where they were.

-- +goose Up
-- outcome is sent, retry, dead or silenced; why is what the receiver said, or what silences it. The transaction is the place in the order, as
-- in incident_changes; the id is for those that one has written, or another database before this one.
CREATE TABLE deliveries (
    at      BIGINT NOT NULL DEFAULT pg_current_xact_id()::text::bigint,
    id      BYTEA  NOT NULL DEFAULT uuid_send(gen_random_uuid()),
    alert   BIGINT NOT NULL,
    outcome TEXT   NOT NULL,
    attempt BIGINT NOT NULL,
    why     TEXT   NOT NULL,
    time    BIGINT NOT NULL,
    PRIMARY KEY (at, id)
);
