-- SPDX-License-Identifier: Apache-2.0
-- Values below zero are left out of sums, and counted.

-- +goose Up
ALTER TABLE rule_stats ADD COLUMN negative INTEGER NOT NULL DEFAULT 0;
