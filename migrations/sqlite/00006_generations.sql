-- SPDX-License-Identifier: Apache-2.0
-- The snapshot before the last one is kept: of each cell that changed its state there, and the cells that went since. An earlier
-- version that writes a snapshot leaves before_of behind, and then there is none before it.

-- +goose Up
ALTER TABLE partitions ADD COLUMN before_seq INTEGER NOT NULL DEFAULT 0;
ALTER TABLE partitions ADD COLUMN before_of INTEGER NOT NULL DEFAULT 0;
-- The newest format of snapshots that a member reads. Earlier versions read 5.
ALTER TABLE members ADD COLUMN reads INTEGER NOT NULL DEFAULT 5;

-- seq is of the snapshot that wrote state; before it the cell had prev_state, or was not there.
ALTER TABLE snapshot_cells ADD COLUMN seq INTEGER NOT NULL DEFAULT 0;
ALTER TABLE snapshot_cells ADD COLUMN prev_state BLOB;
ALTER TABLE snapshot_cells ADD COLUMN prev_checksum BLOB;

-- seq is of the snapshot that the cell is not in any more.
CREATE TABLE snapshot_gone (
    partition_id INTEGER NOT NULL,
    cell_hash    BLOB    NOT NULL,
    cell         BLOB    NOT NULL,
    state        BLOB    NOT NULL,
    checksum     BLOB    NOT NULL,
    seq          INTEGER NOT NULL,
    PRIMARY KEY (partition_id, cell_hash)
);
