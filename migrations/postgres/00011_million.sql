-- SPDX-License-Identifier: Apache-2.0
-- Lists answer soon when there are a million incidents.

-- +goose Up
-- What began after a time is passed by within the index.
DROP INDEX incidents_newest;
CREATE INDEX incidents_newest ON incidents (last_event DESC, id DESC, first_event);

-- Names and values of labels go together: counted apart, a label of half of all incidents is taken for one of a few.
CREATE STATISTICS incident_labels_pairs (mcv) ON label, value FROM incident_labels;
-- Every list asks for the parts of its incidents. Without this a part is expected in one of 200, and all incidents are read.
CREATE STATISTICS incidents_parts_of ON (coalesce(merged_into, joined_into)) FROM incidents;
ALTER TABLE incident_labels ALTER COLUMN value SET STATISTICS 1000;
ALTER TABLE incidents ALTER COLUMN search SET STATISTICS 1000;
ANALYZE incident_labels, incidents;

-- What q looks for is found by its trigrams where the server has them and lets us; else every incident's text is looked through. The
-- extension may be somewhere already, where no search path leads.
-- +goose StatementBegin
DO $$
DECLARE place name;
BEGIN
    CREATE EXTENSION IF NOT EXISTS pg_trgm;
    SELECT n.nspname INTO STRICT place FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace WHERE e.extname = 'pg_trgm';
    EXECUTE format('CREATE INDEX incidents_text ON incidents USING gin (search %I.gin_trgm_ops)', place);
EXCEPTION
    WHEN insufficient_resources OR transaction_rollback THEN RAISE;
    WHEN OTHERS THEN RAISE NOTICE 'no index for q: %', SQLERRM;
END $$;
-- +goose StatementEnd
