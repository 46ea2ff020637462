-- Where the readings of meters without a clock are: their identity has no time in it.
-- time: their key in @table@, seconds since 1970 UTC. seen: arrival, ms.

CREATE TABLE @table@_clockless (
    meter   INTEGER NOT NULL,
    counter bigint NOT NULL,
    digest  bigint NOT NULL,
    time    bigint NOT NULL,
    seen    bigint NOT NULL,
    PRIMARY KEY (meter, counter, digest, time)
);
CREATE UNIQUE INDEX @table@_clockless_time ON @table@_clockless (meter, counter, time);
