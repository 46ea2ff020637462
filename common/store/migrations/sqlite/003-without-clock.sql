-- Where the readings of meters without a clock are: their identity has no time in it.
-- time: their key in @table@, seconds since 1970 UTC. seen: arrival, ms.

CREATE TABLE @table@_clockless (
    meter   INTEGER NOT NULL,
    counter INTEGER NOT NULL,
    digest  INTEGER NOT NULL,
    time    INTEGER NOT NULL,
    seen    INTEGER NOT NULL,
    PRIMARY KEY (meter, counter, digest, time)
) WITHOUT ROWID;
CREATE UNIQUE INDEX @table@_clockless_time ON @table@_clockless (meter, counter, time);
