-- Version 5: the order in which runs were made, and more of a trial's instants.

-- Counts up with each run, whatever the clock said.
ALTER TABLE runs ADD COLUMN sequence INTEGER;
UPDATE runs SET sequence = (
    SELECT count(*) FROM runs AS other
    WHERE other.started_at < runs.started_at OR (other.started_at = runs.started_at AND other.id <= runs.id)
);
CREATE UNIQUE INDEX runs_by_sequence ON runs (sequence);

-- Array, characters that became text with each arrival; NULL where there is no text, and of trials stored before.
ALTER TABLE trials ADD COLUMN arrival_characters TEXT CHECK (json_valid(arrival_characters));
-- The engine was done with the request, its text included; NULL of trials stored before.
ALTER TABLE trials ADD COLUMN finished_ns INTEGER CHECK (finished_ns >= 0);
