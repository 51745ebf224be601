-- SPDX-License-Identifier: Apache-2.0
-- What became of each attempt to tell an alert, in the order in which that was written: who follows alerts reads on from where they were.

-- +goose Up
-- outcome is sent, retry, dead or silenced; why is what the receiver said, or what silences it. There is one writer at a time, so the order of
-- numbers is that of commits.
CREATE TABLE deliveries (
    at      INTEGER PRIMARY KEY AUTOINCREMENT,
    id      BLOB    NOT NULL DEFAULT (randomblob(16)),
    alert   INTEGER NOT NULL,
    outcome TEXT    NOT NULL,
    attempt INTEGER NOT NULL,
    why     TEXT    NOT NULL,
    time    INTEGER NOT NULL
);
