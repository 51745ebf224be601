-- SPDX-License-Identifier: Apache-2.0
-- The order in which detections were written.

-- It holds up nobody who commits, and begins again where it was cut off.
-- +goose NO TRANSACTION
-- +goose Up
DROP INDEX CONCURRENTLY IF EXISTS detections_order;
CREATE INDEX CONCURRENTLY detections_order ON detections (changed, id) WHERE changed > 0;
