-- SPDX-License-Identifier: Apache-2.0
-- Identities are 16 bytes, times nanoseconds since the Unix epoch. Text holds neither NUL nor
-- malformed UTF-8 (the writer replaces them); what must be exact is bytes.

-- +goose Up
CREATE TABLE partitions (
    id              INTEGER PRIMARY KEY,
    owner           TEXT    NOT NULL DEFAULT '',
    epoch           INTEGER NOT NULL DEFAULT 0,
    lease_until     INTEGER NOT NULL DEFAULT 0,
    stream          TEXT    NOT NULL DEFAULT '',
    applied         INTEGER NOT NULL DEFAULT 0,
    clock           INTEGER NOT NULL DEFAULT 0,
    snapshot_seq    INTEGER NOT NULL DEFAULT 0,
    snapshot_format INTEGER NOT NULL DEFAULT 0
);

CREATE TABLE members (
    owner       TEXT    PRIMARY KEY,
    alive_until INTEGER NOT NULL
);

CREATE TABLE snapshot_cells (
    partition_id INTEGER NOT NULL,
    cell_hash    BLOB    NOT NULL,
    cell         BLOB    NOT NULL,
    state        BLOB    NOT NULL,
    checksum     BLOB    NOT NULL,
    PRIMARY KEY (partition_id, cell_hash)
);

CREATE TABLE incidents (
    id              BLOB    PRIMARY KEY,
    partition_id    INTEGER NOT NULL,
    rule            TEXT    NOT NULL,
    rule_title      TEXT    NOT NULL,
    rule_revision   TEXT    NOT NULL,
    severity        INTEGER NOT NULL,
    shadow          BOOLEAN NOT NULL,
    title           TEXT    NOT NULL,
    description     TEXT    NOT NULL,
    runbook         TEXT    NOT NULL,
    attack          TEXT    NOT NULL,
    tactics         TEXT    NOT NULL,
    key             BLOB    NOT NULL,
    key_names       TEXT    NOT NULL,
    window_names    TEXT    NOT NULL,
    sources         TEXT    NOT NULL,
    entities        TEXT    NOT NULL,
    first_event     INTEGER NOT NULL,
    last_event      INTEGER NOT NULL,
    opened_at       INTEGER NOT NULL,
    updated_at      INTEGER NOT NULL,
    closed_at       INTEGER NOT NULL,
    verdict         TEXT    NOT NULL,
    closed_by       TEXT    NOT NULL,
    event_count     INTEGER NOT NULL,
    late            INTEGER NOT NULL,
    capped          BOOLEAN NOT NULL,
    retracted       BOOLEAN NOT NULL,
    merged_into     BLOB,
    detection_count INTEGER NOT NULL,
    revision        INTEGER NOT NULL,
    search          TEXT    NOT NULL,
    -- What people write; commits never touch it (I4).
    status          TEXT    NOT NULL DEFAULT 'new',
    assignee        TEXT,
    -- What lists and counts go by.
    shown           TEXT    NOT NULL GENERATED ALWAYS AS (CASE WHEN closed_at <> 0 THEN 'closed' ELSE status END) STORED,
    live            BOOLEAN NOT NULL GENERATED ALWAYS AS (merged_into IS NULL AND NOT retracted) STORED
);
CREATE INDEX incidents_newest ON incidents (last_event DESC, id DESC);
CREATE INDEX incidents_by_status ON incidents (shown, last_event DESC, id DESC) WHERE live;
CREATE INDEX incidents_by_severity ON incidents (severity, last_event DESC, id DESC) WHERE live;
CREATE INDEX incidents_by_rule ON incidents (rule, last_event DESC, id DESC);

CREATE TABLE incident_labels (
    incident   BLOB    NOT NULL,
    label      TEXT    NOT NULL,
    value      TEXT    NOT NULL,
    last_event INTEGER NOT NULL,
    PRIMARY KEY (incident, label, value)
) WITHOUT ROWID;
CREATE INDEX incident_labels_newest ON incident_labels (label, value, last_event DESC, incident DESC);

CREATE TABLE detections (
    id              BLOB    PRIMARY KEY,
    partition_id    INTEGER NOT NULL,
    incident        BLOB,
    key             BLOB    NOT NULL,
    first_event     INTEGER NOT NULL,
    last_event      INTEGER NOT NULL,
    first_firing    INTEGER NOT NULL,
    event_count     INTEGER NOT NULL,
    late            INTEGER NOT NULL,
    steps           TEXT    NOT NULL,
    capped          BOOLEAN NOT NULL,
    retracted       BOOLEAN NOT NULL,
    retracted_event TEXT    NOT NULL,
    retracted_time  INTEGER NOT NULL
);
CREATE INDEX detections_of_incident ON detections (incident, first_event, id);

CREATE TABLE evidence (
    detection BLOB    NOT NULL,
    event     BLOB    NOT NULL,
    step      TEXT    NOT NULL,
    time      INTEGER NOT NULL,
    arrival   INTEGER NOT NULL,
    seq       INTEGER NOT NULL,
    place     INTEGER NOT NULL,
    event_id  TEXT    NOT NULL,
    source    TEXT    NOT NULL,
    message   TEXT    NOT NULL,
    fields    BLOB    NOT NULL,
    raw       BLOB,
    sha256    TEXT    NOT NULL,
    note      TEXT    NOT NULL,
    PRIMARY KEY (detection, event, step)
);

CREATE TABLE rule_stats (
    partition_id INTEGER NOT NULL,
    rule         TEXT    NOT NULL,
    matched      INTEGER NOT NULL,
    unkeyed      INTEGER NOT NULL,
    excepted     INTEGER NOT NULL,
    late         INTEGER NOT NULL,
    capped       INTEGER NOT NULL,
    retracted    INTEGER NOT NULL,
    dropped      INTEGER NOT NULL,
    duplicates   INTEGER NOT NULL,
    detections   INTEGER NOT NULL,
    incidents    INTEGER NOT NULL,
    PRIMARY KEY (partition_id, rule)
) WITHOUT ROWID;

-- One set of counts per partition, so that owners do not wait for each other.
CREATE TABLE rollups (
    partition_id INTEGER NOT NULL,
    status       TEXT    NOT NULL,
    severity     INTEGER NOT NULL,
    shadow       BOOLEAN NOT NULL,
    n            INTEGER NOT NULL,
    PRIMARY KEY (partition_id, status, severity, shadow)
) WITHOUT ROWID;

CREATE TABLE outbox (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    incident    BLOB    NOT NULL,
    revision    INTEGER NOT NULL,
    receiver    TEXT    NOT NULL,
    kind        TEXT    NOT NULL,
    body        BLOB    NOT NULL,
    state       TEXT    NOT NULL DEFAULT 'pending',
    attempts    INTEGER NOT NULL DEFAULT 0,
    created     INTEGER NOT NULL,
    not_before  INTEGER NOT NULL,
    lease_owner TEXT    NOT NULL DEFAULT '',
    lease_until INTEGER NOT NULL DEFAULT 0,
    finished    INTEGER NOT NULL DEFAULT 0,
    error       TEXT    NOT NULL DEFAULT '',
    UNIQUE (incident, revision, receiver)
);
CREATE INDEX outbox_due ON outbox (not_before, id) WHERE state = 'pending';
CREATE INDEX outbox_order ON outbox (incident, receiver, id) WHERE state = 'pending';
CREATE INDEX outbox_dead ON outbox (id) WHERE state = 'dead';
