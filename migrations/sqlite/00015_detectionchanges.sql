-- SPDX-License-Identifier: Apache-2.0
-- In which order detections were written last: who follows detections reads on from where they were. 0 was before this.

-- +goose Up
ALTER TABLE detections ADD COLUMN changed INTEGER NOT NULL DEFAULT 0;
