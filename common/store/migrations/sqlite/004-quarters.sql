-- Energy per quarter hour: quarters, which db-writer keeps beside the readings, for ever; and the view that subtracts.
-- start: seconds since 1970 UTC, a multiple of 900. first_, last_: the earliest and the latest unsuspected reading
-- with win in it, by (second of the quarter, win, wout). All NULL: it has none, and stands between two that have.

CREATE TABLE quarters (
    meter      INTEGER NOT NULL,
    start      INTEGER NOT NULL,
    first_s    INTEGER,
    first_win  INTEGER,
    first_wout INTEGER,
    last_s     INTEGER,
    last_win   INTEGER,
    last_wout  INTEGER,
    PRIMARY KEY (meter, start)
) WITHOUT ROWID;

-- The readings that are there already: the times first, then what the counters were at them.
INSERT INTO quarters (meter, start, first_s, last_s)
SELECT meter, start, min(s), max(s)
  FROM (SELECT meter, time - (time % 900 + 900) % 900 AS start, (time % 900 + 900) % 900 AS s
          FROM @table@_compact WHERE suspect = 0 AND win IS NOT NULL)
 GROUP BY meter, start;

UPDATE quarters SET
    (first_win, first_wout) = (
        SELECT win, wout FROM @table@_compact h
         WHERE h.time = start + first_s AND h.meter = quarters.meter AND h.suspect = 0 AND h.win IS NOT NULL
         ORDER BY win, coalesce(wout, -1) LIMIT 1),
    (last_win, last_wout) = (
        SELECT win, wout FROM @table@_compact h
         WHERE h.time = start + last_s AND h.meter = quarters.meter AND h.suspect = 0 AND h.win IS NOT NULL
         ORDER BY win DESC, coalesce(wout, -1) DESC LIMIT 1);

-- Holes of up to 400 days.
INSERT INTO quarters (meter, start)
WITH RECURSIVE hole (meter, start, till) AS (
    SELECT meter, start + 900, next
      FROM (SELECT meter, start, lead(start) OVER (PARTITION BY meter ORDER BY start) AS next FROM quarters)
     WHERE next - start BETWEEN 1800 AND 34560000
     UNION ALL
    SELECT meter, start + 900, till FROM hole WHERE start + 900 < till)
SELECT meter, start FROM hole;

CREATE INDEX quarters_start ON quarters (start);
CREATE INDEX quarters_read ON quarters (meter, start) WHERE first_s IS NOT NULL;

-- Seconds count from the quarter's start. a, b: the readings before and after its start; c, d: before and after
-- its end. A quarter without a reading has the same two on both sides.
CREATE VIEW quarter_hour AS
SELECT time,
       meter,
       CASE WHEN b_win < a_win OR (own AND c_win < b_win) OR d_win < c_win THEN NULL
            ELSE CASE WHEN d_s IS NULL THEN c_win
                      ELSE c_win + CAST((d_win - c_win) * 1.0 * (900 - c_s) / (d_s - c_s) + 0.5 AS INTEGER) END
               - CASE WHEN a_s IS NULL THEN b_win
                      ELSE a_win + CAST((b_win - a_win) * 1.0 * (0 - a_s) / (b_s - a_s) + 0.5 AS INTEGER) END
       END AS win,
       CASE WHEN b_wout < a_wout OR (own AND c_wout < b_wout) OR d_wout < c_wout THEN NULL
            ELSE CASE WHEN d_s IS NULL THEN c_wout
                      ELSE c_wout + CAST((d_wout - c_wout) * 1.0 * (900 - c_s) / (d_s - c_s) + 0.5 AS INTEGER) END
               - CASE WHEN a_s IS NULL THEN b_wout
                      ELSE a_wout + CAST((b_wout - a_wout) * 1.0 * (0 - a_s) / (b_s - a_s) + 0.5 AS INTEGER) END
       END AS wout,
       CASE WHEN b_win < a_win OR d_win < c_win OR b_wout < a_wout OR d_wout < c_wout
              OR (own AND (c_win < b_win OR c_wout < b_wout)) THEN 'reset'
            WHEN d_s IS NULL THEN 'open'
            WHEN a_s IS NULL THEN 'start'
            WHEN NOT own THEN 'missing'
            WHEN b_s - a_s > 90 OR d_s - c_s > 90 THEN 'gap'
            ELSE 'ok' END AS quality
  FROM (SELECT q.start AS time,
               m.meter AS meter,
               q.first_s IS NOT NULL AS own,
               p.start + p.last_s - q.start AS a_s, p.last_win AS a_win, p.last_wout AS a_wout,
               n.start + n.first_s - q.start AS d_s, n.first_win AS d_win, n.first_wout AS d_wout,
               CASE WHEN q.first_s IS NULL THEN n.start + n.first_s - q.start ELSE q.first_s END AS b_s,
               CASE WHEN q.first_s IS NULL THEN n.first_win ELSE q.first_win END AS b_win,
               CASE WHEN q.first_s IS NULL THEN n.first_wout ELSE q.first_wout END AS b_wout,
               CASE WHEN q.first_s IS NULL THEN p.start + p.last_s - q.start ELSE q.last_s END AS c_s,
               CASE WHEN q.first_s IS NULL THEN p.last_win ELSE q.last_win END AS c_win,
               CASE WHEN q.first_s IS NULL THEN p.last_wout ELSE q.last_wout END AS c_wout
          FROM quarters q
          JOIN meters m ON m.id = q.meter
          LEFT JOIN quarters p ON p.meter = q.meter AND p.start = (
               SELECT max(x.start) FROM quarters x INDEXED BY quarters_read
                WHERE x.meter = q.meter AND x.start < q.start AND x.first_s IS NOT NULL)
          LEFT JOIN quarters n ON n.meter = q.meter AND n.start = (
               SELECT min(x.start) FROM quarters x INDEXED BY quarters_read
                WHERE x.meter = q.meter AND x.start > q.start AND x.first_s IS NOT NULL));
