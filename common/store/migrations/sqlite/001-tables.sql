-- Compact tables that only db-writer writes, and the views that people query.
-- Times are seconds since 1970 UTC: datetime(time, 'unixepoch').

CREATE TABLE meters (
    id         INTEGER PRIMARY KEY,
    meter      TEXT NOT NULL UNIQUE,
    number     TEXT NOT NULL,
    first_seen INTEGER NOT NULL DEFAULT (strftime('%s', 'now'))
);

CREATE TABLE suspects (
    code   INTEGER PRIMARY KEY,
    reason TEXT NOT NULL UNIQUE
);

-- delay: arrival less time, ms. win wout: Wh. pin pout: W. u: mV. i: mA. pf: thousandths.
CREATE TABLE @table@_compact (
    time    INTEGER NOT NULL,
    meter   INTEGER NOT NULL,
    counter INTEGER NOT NULL,
    delay   INTEGER NOT NULL,
    win     INTEGER,
    wout    INTEGER,
    pin     INTEGER,
    pout    INTEGER,
    u1      INTEGER,
    u2      INTEGER,
    u3      INTEGER,
    i1      INTEGER,
    i2      INTEGER,
    i3      INTEGER,
    pf      INTEGER,
    suspect INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (time, meter, counter)
) WITHOUT ROWID;

CREATE TABLE @table@debounced_compact (
    window_start INTEGER NOT NULL,
    meter        INTEGER NOT NULL,
    time         INTEGER NOT NULL,
    counter      INTEGER NOT NULL,
    delay        INTEGER NOT NULL,
    win          INTEGER,
    wout         INTEGER,
    pin          INTEGER,
    pout         INTEGER,
    u1           INTEGER,
    u2           INTEGER,
    u3           INTEGER,
    i1           INTEGER,
    i2           INTEGER,
    i3           INTEGER,
    pf           INTEGER,
    suspect      INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (window_start, meter)
) WITHOUT ROWID;

CREATE VIEW @table@ AS
SELECT h.time,
       m.meter,
       h.counter,
       h.time + h.delay / 1000.0 AS received_at,
       (SELECT s.reason FROM suspects s WHERE s.code = h.suspect) AS suspect,
       h.win, h.wout, h.pin, h.pout,
       h.u1 / 1000.0 AS u1, h.u2 / 1000.0 AS u2, h.u3 / 1000.0 AS u3,
       h.i1 / 1000.0 AS i1, h.i2 / 1000.0 AS i2, h.i3 / 1000.0 AS i3,
       h.pf / 1000.0 AS pf
  FROM @table@_compact h JOIN meters m ON m.id = h.meter;

CREATE VIEW @table@debounced AS
SELECT h.window_start,
       h.time,
       m.meter,
       h.counter,
       h.time + h.delay / 1000.0 AS received_at,
       (SELECT s.reason FROM suspects s WHERE s.code = h.suspect) AS suspect,
       h.win, h.wout, h.pin, h.pout,
       h.u1 / 1000.0 AS u1, h.u2 / 1000.0 AS u2, h.u3 / 1000.0 AS u3,
       h.i1 / 1000.0 AS i1, h.i2 / 1000.0 AS i2, h.i3 / 1000.0 AS i3,
       h.pf / 1000.0 AS pf
  FROM @table@debounced_compact h JOIN meters m ON m.id = h.meter;

CREATE TABLE rejects (
    digest  BLOB PRIMARY KEY,
    time    INTEGER NOT NULL,
    meter   TEXT,
    topic   TEXT NOT NULL,
    reason  TEXT NOT NULL,
    detail  TEXT NOT NULL,
    payload BLOB NOT NULL
) WITHOUT ROWID;
CREATE INDEX rejects_time ON rejects (time);
