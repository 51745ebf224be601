-- SPDX-License-Identifier: Apache-2.0
-- Lists of what few incidents have together answer soon: by one index of all that lists ask for.

-- It holds up nobody who commits, and begins again where it was cut off.
-- +goose NO TRANSACTION
-- +goose Up
-- What an incident is found by: its rule, severity, status and labels, the day of its last event, whether it lasted an hour, and its text. Who
-- asks looks at the incident itself as well, so a term too many does no harm. No index has the times: an incident that goes on in the
-- same day leaves the indexes as they are.
CREATE TABLE IF NOT EXISTS incident_terms (
    incident    BYTEA    PRIMARY KEY,
    first_event BIGINT   NOT NULL,
    last_event  BIGINT   NOT NULL,
    terms       TEXT[]   COLLATE "C" NOT NULL,
    search      TEXT     COLLATE "C" NOT NULL
) WITH (fillfactor = 85);

-- The pieces of a text, three letters from each of its letters on, as words that may be asked for by how they begin: what contains another
-- text has its pieces.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION incident_pieces(t TEXT) RETURNS TSVECTOR LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT array_to_tsvector(array_agg(c || d || e)) FROM (
        SELECT c, lead(c, 1, '') OVER () AS d, lead(c, 2, '') OVER () AS e FROM string_to_table(t, NULL) AS c
    ) AS letters
$$;
-- +goose StatementEnd

-- What an incident says of itself.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION incident_own_terms(i incidents) RETURNS TEXT[] LANGUAGE sql STABLE AS $$
    SELECT ARRAY['rule=' || i.rule, 'severity=' || i.severity, 'status=' || i.shown, 'day=' || i.last_event / 86400000000000,
        CASE WHEN i.last_event::float8 - i.first_event > 3.59e12 THEN 'long' ELSE 'short' END]
$$;
-- +goose StatementEnd

-- Whoever calls it has what is there of the incidents locked, or their terms: who comes second reads what the first has written. A plan is kept
-- while tables grow, so each incident is looked up by itself.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION set_incident_terms(ids BYTEA[]) RETURNS VOID LANGUAGE sql SET enable_seqscan = off AS $$
    INSERT INTO incident_terms AS t (incident, first_event, last_event, terms, search)
    SELECT i.id, i.first_event, i.last_event, incident_own_terms(i) || ARRAY(
        SELECT unnest(ARRAY[l.label || '=' || l.value] || CASE WHEN l.label LIKE 'entity:%' THEN ARRAY[l.label, 'entity=' || l.value] END)
        FROM incident_labels l WHERE l.incident = i.id ORDER BY l.label, l.value
    ), i.search
    FROM unnest(ids) AS n(id) CROSS JOIN LATERAL (SELECT * FROM incidents WHERE id = n.id OFFSET 0) AS i ORDER BY i.id
    ON CONFLICT (incident) DO UPDATE SET first_event = excluded.first_event, last_event = excluded.last_event,
        terms = excluded.terms, search = excluded.search
    WHERE (t.first_event, t.last_event, t.terms, t.search) IS DISTINCT FROM (excluded.first_event, excluded.last_event, excluded.terms, excluded.search)
$$;
-- +goose StatementEnd

-- By triggers, so that whatever writes need not know of it.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION incident_terms_changed() RETURNS trigger LANGUAGE plpgsql SET enable_seqscan = off AS $$
DECLARE
    ids BYTEA[];
BEGIN
    IF TG_TABLE_NAME = 'incident_labels' THEN
        SELECT array_agg(t.incident) INTO ids FROM (SELECT DISTINCT incident FROM written ORDER BY 1) AS w
        CROSS JOIN LATERAL (SELECT incident FROM incident_terms WHERE incident = w.incident FOR NO KEY UPDATE) AS t;
    ELSIF TG_OP = 'INSERT' THEN
        SELECT array_agg(id) INTO ids FROM written;
    ELSE
        -- Mostly there was more of the same: the times go on and the terms stay.
        INSERT INTO incident_terms (incident, first_event, last_event, terms, search)
        SELECT id, first_event, last_event, '{}', '' FROM (
            SELECT id, first_event, last_event, incident_own_terms(n), search FROM written n
            EXCEPT SELECT id, first_event, last_event, incident_own_terms(b), search FROM before b
        ) AS n ORDER BY id ON CONFLICT (incident) DO UPDATE SET first_event = excluded.first_event, last_event = excluded.last_event;
        SELECT array_agg(id) INTO ids FROM (SELECT id, incident_own_terms(n), search FROM written n EXCEPT SELECT id, incident_own_terms(b), search FROM before b) AS n;
    END IF;
    IF ids IS NOT NULL THEN
        PERFORM set_incident_terms(ids);
    END IF;
    RETURN NULL;
END $$;
-- +goose StatementEnd
CREATE OR REPLACE TRIGGER incidents_termed AFTER INSERT ON incidents
    REFERENCING NEW TABLE AS written FOR EACH STATEMENT EXECUTE FUNCTION incident_terms_changed();
CREATE OR REPLACE TRIGGER incidents_termed_again AFTER UPDATE ON incidents
    REFERENCING OLD TABLE AS before NEW TABLE AS written FOR EACH STATEMENT EXECUTE FUNCTION incident_terms_changed();
CREATE OR REPLACE TRIGGER incident_labels_termed AFTER INSERT ON incident_labels
    REFERENCING NEW TABLE AS written FOR EACH STATEMENT EXECUTE FUNCTION incident_terms_changed();

-- What was there before, a few at a time.
-- +goose StatementBegin
DO $$
DECLARE
    batch BYTEA[];
    at    BYTEA := '';
BEGIN
    LOOP
        SELECT array_agg(id ORDER BY id) INTO batch FROM (SELECT id FROM incidents WHERE id > at ORDER BY id LIMIT 500) AS n;
        EXIT WHEN batch IS NULL;
        PERFORM 1 FROM incidents WHERE id = ANY (batch) ORDER BY id FOR NO KEY UPDATE;
        PERFORM set_incident_terms(batch);
        COMMIT;
        at := batch[array_upper(batch, 1)];
    END LOOP;
END $$;
-- +goose StatementEnd

-- What waits to be sorted into the index is looked through by each list: so it is little.
DROP INDEX CONCURRENTLY IF EXISTS incident_terms_found;
CREATE INDEX CONCURRENTLY incident_terms_found ON incident_terms USING gin (terms, incident_pieces(search)) WITH (gin_pending_list_limit = 256);
ALTER INDEX incident_terms_found ALTER COLUMN 2 SET STATISTICS 0;
ANALYZE incident_terms;

-- An earlier form of migration 11 made it, where the server had pg_trgm.
DROP INDEX CONCURRENTLY IF EXISTS incidents_text;
