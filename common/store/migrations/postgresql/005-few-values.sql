-- Voltages in columns of a type of their own: to PostgreSQL it is integer, no row is rewritten; TimescaleDB packs
-- integers by their differences, everything else by the few different values of a batch, and the latter takes two
-- thirds of the octets here.

CREATE DOMAIN few_values AS integer;

DROP VIEW @table@;
DROP VIEW @table@debounced;

ALTER TABLE @table@_compact
    ALTER COLUMN u1 TYPE few_values, ALTER COLUMN u2 TYPE few_values, ALTER COLUMN u3 TYPE few_values;
ALTER TABLE @table@debounced_compact
    ALTER COLUMN u1 TYPE few_values, ALTER COLUMN u2 TYPE few_values, ALTER COLUMN u3 TYPE few_values;

CREATE VIEW @table@ AS
SELECT h.time,
       m.meter,
       CASE h.counter WHEN 2147483647 THEN -1 ELSE h.counter::bigint + 2147483648 END AS counter,
       h.received_at,
       (SELECT s.reason FROM suspects s WHERE s.code = h.suspect) AS suspect,
       h.win, h.wout, h.pin, h.pout,
       h.u1 / 1000.0::float8 AS u1, h.u2 / 1000.0::float8 AS u2, h.u3 / 1000.0::float8 AS u3,
       h.i1 / 1000.0::float8 AS i1, h.i2 / 1000.0::float8 AS i2, h.i3 / 1000.0::float8 AS i3,
       h.pf / 1000.0::float8 AS pf
  FROM @table@_compact h JOIN meters m ON m.id = h.meter;

CREATE VIEW @table@debounced AS
SELECT h.window_start,
       h.time,
       m.meter,
       CASE h.counter WHEN 2147483647 THEN -1 ELSE h.counter::bigint + 2147483648 END AS counter,
       h.received_at,
       (SELECT s.reason FROM suspects s WHERE s.code = h.suspect) AS suspect,
       h.win, h.wout, h.pin, h.pout,
       h.u1 / 1000.0::float8 AS u1, h.u2 / 1000.0::float8 AS u2, h.u3 / 1000.0::float8 AS u3,
       h.i1 / 1000.0::float8 AS i1, h.i2 / 1000.0::float8 AS i2, h.i3 / 1000.0::float8 AS i3,
       h.pf / 1000.0::float8 AS pf
  FROM @table@debounced_compact h JOIN meters m ON m.id = h.meter;
