-- Energy per quarter hour: quarters, which db-writer keeps beside the readings, for ever; and the view that subtracts.
-- first_, last_: the earliest and the latest unsuspected reading with win in the quarter, by (second of the quarter,
-- win, wout). All NULL: it has none, and stands between two that have.

-- What a writer of the version before this still wrote would be missing: it is cut off, and may not come back.
LOCK TABLE @table@_compact IN SHARE MODE;
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
 WHERE application_name = 'zaehlwerk db-writer' AND datname = current_database() AND usename = current_user
   AND pid <> pg_backend_pid();

-- Room in the pages, so that the newest quarter of each meter is updated in place.
CREATE TABLE quarters (
    start      timestamptz NOT NULL,
    first_win  bigint,
    first_wout bigint,
    last_win   bigint,
    last_wout  bigint,
    meter      integer NOT NULL,
    first_s    smallint,
    last_s     smallint
) WITH (fillfactor = 80);

INSERT INTO quarters (start, meter, first_s, first_win, first_wout, last_s, last_win, last_wout)
SELECT start, meter, low[1], low[2], nullif(low[3], -1), high[1], high[2], nullif(high[3], -1)
  FROM (SELECT start, meter,
               min(ARRAY[extract(epoch FROM time - start)::bigint, win, coalesce(wout, -1)]) AS low,
               max(ARRAY[extract(epoch FROM time - start)::bigint, win, coalesce(wout, -1)]) AS high
          FROM (SELECT meter, time, win, wout, date_bin('15 minutes', time, '2000-01-01 00:00+00') AS start
                  FROM @table@_compact WHERE suspect = 0 AND win IS NOT NULL) h
         GROUP BY start, meter) q
 ORDER BY start, meter;

-- Holes of up to 400 days.
INSERT INTO quarters (start, meter)
SELECT g, meter
  FROM (SELECT meter, start, lead(start) OVER (PARTITION BY meter ORDER BY start) AS next FROM quarters) q
 CROSS JOIN LATERAL generate_series(start + interval '15 minutes', next - interval '15 minutes', '15 minutes') g
 WHERE next - start BETWEEN interval '30 minutes' AND interval '400 days';

ALTER TABLE quarters ADD PRIMARY KEY (meter, start);
CREATE INDEX quarters_start ON quarters USING brin (start); -- of another kind, so that no look-up below takes it
CREATE INDEX quarters_read ON quarters (meter, start) WHERE first_s IS NOT NULL;

-- Seconds count from the quarter's start. a, b: the readings before and after its start; c, d: before and after
-- its end. A quarter without a reading has the same two on both sides.
CREATE VIEW quarter_hour AS
SELECT q.start AS time,
       m.meter,
       CASE WHEN b.win < a.win OR (e.own AND c.win < b.win) OR d.win < c.win THEN NULL
            ELSE CASE WHEN d.s IS NULL THEN c.win
                      ELSE c.win + floor((d.win - c.win)::float8 * (900 - c.s) / (d.s - c.s) + 0.5)::bigint END
               - CASE WHEN a.s IS NULL THEN b.win
                      ELSE a.win + floor((b.win - a.win)::float8 * (0 - a.s) / (b.s - a.s) + 0.5)::bigint END
       END AS win,
       CASE WHEN b.wout < a.wout OR (e.own AND c.wout < b.wout) OR d.wout < c.wout THEN NULL
            ELSE CASE WHEN d.s IS NULL THEN c.wout
                      ELSE c.wout + floor((d.wout - c.wout)::float8 * (900 - c.s) / (d.s - c.s) + 0.5)::bigint END
               - CASE WHEN a.s IS NULL THEN b.wout
                      ELSE a.wout + floor((b.wout - a.wout)::float8 * (0 - a.s) / (b.s - a.s) + 0.5)::bigint END
       END AS wout,
       CASE WHEN b.win < a.win OR d.win < c.win OR b.wout < a.wout OR d.wout < c.wout
              OR (e.own AND (c.win < b.win OR c.wout < b.wout)) THEN 'reset'
            WHEN d.s IS NULL THEN 'open'
            WHEN a.s IS NULL THEN 'start'
            WHEN NOT e.own THEN 'missing'
            WHEN b.s - a.s > 90 OR d.s - c.s > 90 THEN 'gap'
            ELSE 'ok' END AS quality
  FROM quarters q
  JOIN meters m ON m.id = q.meter
  LEFT JOIN LATERAL (
       SELECT extract(epoch FROM x.start - q.start)::float8 + x.last_s AS s, x.last_win AS win, x.last_wout AS wout
         FROM quarters x
        WHERE x.meter = q.meter AND x.start < q.start AND x.first_s IS NOT NULL
        ORDER BY x.start DESC LIMIT 1) a ON true
  LEFT JOIN LATERAL (
       SELECT extract(epoch FROM x.start - q.start)::float8 + x.first_s AS s, x.first_win AS win, x.first_wout AS wout
         FROM quarters x
        WHERE x.meter = q.meter AND x.start > q.start AND x.first_s IS NOT NULL
        ORDER BY x.start LIMIT 1) d ON true
 CROSS JOIN LATERAL (SELECT q.first_s IS NOT NULL AS own) e
 CROSS JOIN LATERAL (
       SELECT CASE WHEN e.own THEN q.first_s ELSE d.s END AS s,
              CASE WHEN e.own THEN q.first_win ELSE d.win END AS win,
              CASE WHEN e.own THEN q.first_wout ELSE d.wout END AS wout) b
 CROSS JOIN LATERAL (
       SELECT CASE WHEN e.own THEN q.last_s ELSE a.s END AS s,
              CASE WHEN e.own THEN q.last_win ELSE a.win END AS win,
              CASE WHEN e.own THEN q.last_wout ELSE a.wout END AS wout) c;
