-- Compact tables that only db-writer writes, and the views that people query.
-- Columns stand widest first, so that PostgreSQL pads nothing between them.

CREATE TABLE meters (
    id         integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    meter      text NOT NULL UNIQUE,
    number     text NOT NULL,
    first_seen timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE suspects (
    code   smallint PRIMARY KEY,
    reason text NOT NULL UNIQUE
);

-- win wout: Wh. pin pout: W. u: mV. i: mA. pf: thousandths.
-- counter: the invocation counter (0 to 4294967295) less 2147483648; -1 (plain meters) stands as 2147483647.
CREATE TABLE @table@_compact (
    time        timestamptz NOT NULL,
    received_at timestamptz NOT NULL,
    win         bigint,
    wout        bigint,
    meter       integer  NOT NULL,
    counter     integer  NOT NULL,
    pin         integer,
    pout        integer,
    u1          integer,
    u2          integer,
    u3          integer,
    i1          integer,
    i2          integer,
    i3          integer,
    pf          smallint,
    suspect     smallint NOT NULL DEFAULT 0
);
CREATE UNIQUE INDEX @table@_identity ON @table@_compact (time, meter, counter);

CREATE TABLE @table@debounced_compact (
    window_start timestamptz NOT NULL,
    time         timestamptz NOT NULL,
    received_at  timestamptz NOT NULL,
    win          bigint,
    wout         bigint,
    meter        integer  NOT NULL,
    counter      integer  NOT NULL,
    pin          integer,
    pout         integer,
    u1           integer,
    u2           integer,
    u3           integer,
    i1           integer,
    i2           integer,
    i3           integer,
    pf           smallint,
    suspect      smallint NOT NULL DEFAULT 0
);
CREATE UNIQUE INDEX @table@debounced_identity ON @table@debounced_compact (window_start, meter);

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

CREATE TABLE rejects (
    digest  bytea PRIMARY KEY,
    time    timestamptz NOT NULL,
    meter   text,
    topic   text NOT NULL,
    reason  text NOT NULL,
    detail  text NOT NULL,
    payload bytea NOT NULL
);
CREATE INDEX rejects_time ON rejects (time);
