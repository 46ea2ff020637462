-- Reasons of suspect readings; rejects that a replay has resolved since.

INSERT INTO suspects (code, reason) VALUES (1, 'energy-falls'), (2, 'energy-jumps'), (3, 'other');

ALTER TABLE rejects ADD COLUMN counter bigint NOT NULL DEFAULT -1;
ALTER TABLE rejects ADD COLUMN resolved_at timestamptz;

-- The index also tells how many octets there are.
ALTER TABLE rejects ADD COLUMN octets integer GENERATED ALWAYS AS (octet_length(payload)) STORED;
DROP INDEX rejects_time;
CREATE INDEX rejects_age ON rejects (time, digest) INCLUDE (octets);
