-- Reasons of suspect readings; rejects that a replay has resolved since.

INSERT INTO suspects (code, reason) VALUES (1, 'energy-falls'), (2, 'energy-jumps'), (3, 'other');

ALTER TABLE rejects ADD COLUMN counter INTEGER NOT NULL DEFAULT -1;
ALTER TABLE rejects ADD COLUMN resolved_at INTEGER;

-- time has decimals: the arrival to the millisecond. The index also tells how many octets there are.
ALTER TABLE rejects ADD COLUMN octets INTEGER NOT NULL DEFAULT 0;
UPDATE rejects SET octets = length(payload);
DROP INDEX rejects_time;
CREATE INDEX rejects_age ON rejects (time, digest, octets);
