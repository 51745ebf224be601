-- SPDX-License-Identifier: Apache-2.0
-- A text is found by pieces of four letters, not of three: of "user-100" the three of "-10" and "100" are in thousands of other texts as well.

-- It holds up nobody who commits, and begins again where it was cut off.
-- +goose NO TRANSACTION
-- +goose Up
-- Four letters from each letter of a text on, fewer at its end, as words that may be asked for by how they begin: so what contains another
-- text has its pieces, and one of less than four letters is what a piece begins with.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION incident_fours(t TEXT) RETURNS TSVECTOR LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT array_to_tsvector(array_agg(c || d || e || f)) FROM (
        SELECT c, lead(c, 1, '') OVER () AS d, lead(c, 2, '') OVER () AS e, lead(c, 3, '') OVER () AS f FROM string_to_table(t, NULL) AS c
    ) AS letters
$$;
-- +goose StatementEnd

-- What waits to be sorted into the index is looked through by each list: so it is little.
DROP INDEX CONCURRENTLY IF EXISTS incident_terms_asked;
CREATE INDEX CONCURRENTLY incident_terms_asked ON incident_terms USING gin (terms, incident_fours(search)) WITH (gin_pending_list_limit = 256);
ALTER INDEX incident_terms_asked ALTER COLUMN 2 SET STATISTICS 0;
ANALYZE incident_terms;

-- Function incident_pieces stays: an older version that still runs beside asks by it, if slowly now.
DROP INDEX CONCURRENTLY IF EXISTS incident_terms_found;
