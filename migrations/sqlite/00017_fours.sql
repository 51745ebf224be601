-- SPDX-License-Identifier: Apache-2.0
-- Nothing: PostgreSQL alone has an index of the pieces of texts.

-- +goose Up
SELECT 1;
