-- SPDX-License-Identifier: Apache-2.0
-- Events with a time after their arrival take part, and are counted.

-- +goose Up
ALTER TABLE rule_stats ADD COLUMN future INTEGER NOT NULL DEFAULT 0;
