-- TimescaleDB: both tables of readings become hypertables with a columnstore. db-writer runs this after it has
-- connected, in a transaction, where TimescaleDB 2.22 or newer is installed with license `timescale`; what is as it
-- should be stays as it is. By hand: SET zaehlwerk.table = 'history'; SET zaehlwerk.fleet_meters = '100'; and
-- search_path. Old rows are dropped by db-writer, whole chunks of them (HISTORY_KEEP_DAYS, DEBOUNCED_KEEP_DAYS).

DO $$
DECLARE
    prefix CONSTANT text := current_setting('zaehlwerk.table');
    fleet CONSTANT bigint := current_setting('zaehlwerk.fleet_meters');
    size record;
    part record;
    job record;
    wanted jsonb;
BEGIN
    -- A chunk that is written to should have its index in a quarter of the memory, and each meter 700 rows in it or
    -- more; `after`: a chunk is compressed when all of it is older, so longer than readings are usually late.
    SELECT * INTO size
      FROM (VALUES (100,        interval '7 days',  interval '28 days', interval '14 days'),
                   (2000,       interval '1 day',   interval '7 days',  interval '2 days'),
                   (20000,      interval '6 hours', interval '3 days',  interval '12 hours'),
                   (2147483647, interval '1 hour',  interval '3 days',  interval '6 hours'))
           AS s (up_to, history, debounced, after)
     WHERE s.up_to >= fleet ORDER BY s.up_to LIMIT 1;
    wanted := jsonb_build_object('compress_after', size.after::text);

    FOR part IN SELECT * FROM (VALUES (prefix || '_compact', 'time', size.history, 'time, counter'),
                                      (prefix || 'debounced_compact', 'window_start', size.debounced, 'window_start'))
                              AS p (name, key, chunk, sorted) LOOP
        IF NOT EXISTS (SELECT FROM timescaledb_information.hypertables
                        WHERE hypertable_schema = current_schema() AND hypertable_name = part.name) THEN
            -- The unique index serves all look-ups: no other by time. Rows that are there already move over.
            PERFORM create_hypertable(part.name::regclass, by_range(part.key, part.chunk),
                                      create_default_indexes => false, migrate_data => true);
        END IF;
        IF EXISTS (SELECT FROM timescaledb_information.dimensions
                    WHERE hypertable_schema = current_schema() AND hypertable_name = part.name
                      AND time_interval <> part.chunk) THEN
            PERFORM set_chunk_time_interval(part.name::regclass, part.chunk); -- of the chunks to come
        END IF;
        IF EXISTS (SELECT FROM timescaledb_information.hypertables
                    WHERE hypertable_schema = current_schema() AND hypertable_name = part.name
                      AND NOT compression_enabled) THEN
            -- An index of our own choice, so that there is no Bloom filter of the unique key: that takes an octet a
            -- reading. (With none, '', the planner of 2.28 ends the server.)
            EXECUTE format('ALTER TABLE %I SET (timescaledb.enable_columnstore, timescaledb.segmentby = %L, '
                           'timescaledb.orderby = %L, timescaledb.sparse_index = %L)',
                           part.name, 'meter', part.sorted, 'minmax(received_at)');
        END IF;
        SELECT * INTO job FROM timescaledb_information.jobs
         WHERE hypertable_schema = current_schema() AND hypertable_name = part.name
           AND proc_name IN ('policy_compression', 'policy_process_columnstore');
        IF NOT FOUND THEN
            CALL add_columnstore_policy(part.name::regclass, after => size.after);
        ELSIF NOT job.config @> wanted THEN
            PERFORM alter_job(job.job_id, config => job.config || wanted,
                              schedule_interval => least(part.chunk / 2, interval '12 hours'));
        END IF;
    END LOOP;
END
$$;

-- An earlier reading of a window in a compressed chunk unpacks the batch it is in, and many of them more than the
-- default allows: the transaction would fail again and again.
SET timescaledb.max_tuples_decompressed_per_dml_transaction = 0;
