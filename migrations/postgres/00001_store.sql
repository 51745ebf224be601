-- SPDX-License-Identifier: Apache-2.0
-- Identities are 16 bytes, times nanoseconds since the Unix epoch. Text holds neither NUL nor
-- malformed UTF-8 (the writer replaces them); what must be exact is bytes.

-- +goose Up
CREATE TABLE partitions (
    id              INTEGER PRIMARY KEY,
    owner           TEXT    NOT NULL DEFAULT '',
    epoch           BIGINT  NOT NULL DEFAULT 0,
    lease_until     BIGINT  NOT NULL DEFAULT 0,
    stream          TEXT    NOT NULL DEFAULT '',
    applied         BIGINT  NOT NULL DEFAULT 0,
    clock           BIGINT  NOT NULL DEFAULT 0,
    snapshot_seq    BIGINT  NOT NULL DEFAULT 0,
    snapshot_format INTEGER NOT NULL DEFAULT 0
);

CREATE TABLE members (
    owner       TEXT   PRIMARY KEY,
    alive_until BIGINT NOT NULL
);

CREATE TABLE snapshot_cells (
    partition_id INTEGER NOT NULL,
    cell_hash    BYTEA   NOT NULL,
    cell         BYTEA   NOT NULL,
    state        BYTEA   NOT NULL,
    checksum     BYTEA   NOT NULL,
    PRIMARY KEY (partition_id, cell_hash)
);

CREATE TABLE incidents (
    id              BYTEA   PRIMARY KEY,
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
    key             BYTEA   NOT NULL,
    key_names       TEXT    NOT NULL,
    window_names    TEXT    NOT NULL,
    sources         TEXT    NOT NULL,
    entities        TEXT    NOT NULL,
    first_event     BIGINT  NOT NULL,
    last_event      BIGINT  NOT NULL,
    opened_at       BIGINT  NOT NULL,
    updated_at      BIGINT  NOT NULL,
    closed_at       BIGINT  NOT NULL,
    verdict         TEXT    NOT NULL,
    closed_by       TEXT    NOT NULL,
    event_count     BIGINT  NOT NULL,
    late            BIGINT  NOT NULL,
    capped          BOOLEAN NOT NULL,
    retracted       BOOLEAN NOT NULL,
    merged_into     BYTEA,
    detection_count BIGINT  NOT NULL,
    revision        BIGINT  NOT NULL,
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
    incident   BYTEA  NOT NULL,
    label      TEXT   NOT NULL,
    value      TEXT   NOT NULL,
    last_event BIGINT NOT NULL,
    PRIMARY KEY (incident, label, value)
);
CREATE INDEX incident_labels_newest ON incident_labels (label, value, last_event DESC, incident DESC);

CREATE TABLE detections (
    id              BYTEA   PRIMARY KEY,
    partition_id    INTEGER NOT NULL,
    incident        BYTEA,
    key             BYTEA   NOT NULL,
    first_event     BIGINT  NOT NULL,
    last_event      BIGINT  NOT NULL,
    first_firing    BIGINT  NOT NULL,
    event_count     BIGINT  NOT NULL,
    late            BIGINT  NOT NULL,
    steps           TEXT    NOT NULL,
    capped          BOOLEAN NOT NULL,
    retracted       BOOLEAN NOT NULL,
    retracted_event TEXT    NOT NULL,
    retracted_time  BIGINT  NOT NULL
);
CREATE INDEX detections_of_incident ON detections (incident, first_event, id);

CREATE TABLE evidence (
    detection BYTEA   NOT NULL,
    event     BYTEA   NOT NULL,
    step      TEXT    NOT NULL,
    time      BIGINT  NOT NULL,
    arrival   BIGINT  NOT NULL,
    seq       BIGINT  NOT NULL,
    place     BIGINT  NOT NULL,
    event_id  TEXT    NOT NULL,
    source    TEXT    NOT NULL,
    message   TEXT    NOT NULL,
    fields    BYTEA   NOT NULL,
    raw       BYTEA,
    sha256    TEXT    NOT NULL,
    note      TEXT    NOT NULL,
    PRIMARY KEY (detection, event, step)
);

CREATE TABLE rule_stats (
    partition_id INTEGER NOT NULL,
    rule         TEXT    NOT NULL,
    matched      BIGINT  NOT NULL,
    unkeyed      BIGINT  NOT NULL,
    excepted     BIGINT  NOT NULL,
    late         BIGINT  NOT NULL,
    capped       BIGINT  NOT NULL,
    retracted    BIGINT  NOT NULL,
    dropped      BIGINT  NOT NULL,
    duplicates   BIGINT  NOT NULL,
    detections   BIGINT  NOT NULL,
    incidents    BIGINT  NOT NULL,
    PRIMARY KEY (partition_id, rule)
);

-- One set of counts per partition, so that owners do not wait for each other.
CREATE TABLE rollups (
    partition_id INTEGER NOT NULL,
    status       TEXT    NOT NULL,
    severity     INTEGER NOT NULL,
    shadow       BOOLEAN NOT NULL,
    n            BIGINT  NOT NULL,
    PRIMARY KEY (partition_id, status, severity, shadow)
);

CREATE TABLE outbox (
    id          BIGINT  GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    incident    BYTEA   NOT NULL,
    revision    BIGINT  NOT NULL,
    receiver    TEXT    NOT NULL,
    kind        TEXT    NOT NULL,
    body        BYTEA   NOT NULL,
    state       TEXT    NOT NULL DEFAULT 'pending',
    attempts    INTEGER NOT NULL DEFAULT 0,
    created     BIGINT  NOT NULL,
    not_before  BIGINT  NOT NULL,
    lease_owner TEXT    NOT NULL DEFAULT '',
    lease_until BIGINT  NOT NULL DEFAULT 0,
    finished    BIGINT  NOT NULL DEFAULT 0,
    error       TEXT    NOT NULL DEFAULT '',
    UNIQUE (incident, revision, receiver)
);
CREATE INDEX outbox_due ON outbox (not_before, id) WHERE state = 'pending';
CREATE INDEX outbox_order ON outbox (incident, receiver, id) WHERE state = 'pending';
CREATE INDEX outbox_dead ON outbox (id) WHERE state = 'dead';
