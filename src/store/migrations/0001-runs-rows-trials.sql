-- Version 1: runs, the candidates' rows in them, and their trials.
--
-- Made to be read by other programs too. What people query by is a column; what varies in shape is JSON text, which
-- `json_extract` and `json_each` read in place. NULL means unknown, never zero. An instant of the calendar is RFC 3339
-- text in UTC with nine decimals, so that text order is time order; an instant within a trial is in nanoseconds.
-- The comments within a statement are kept by SQLite: `.schema` shows them.

-- "benc": tells this file from other programs' databases.
PRAGMA application_id = 1650814563;

CREATE TABLE runs (
    id TEXT NOT NULL PRIMARY KEY,
    started_at TEXT NOT NULL,
    finished_at TEXT, -- NULL while the run goes on, and after it was interrupted
    environment TEXT NOT NULL CHECK (json_valid(environment)),
    settings TEXT NOT NULL CHECK (json_valid(settings)),
    requirements TEXT NOT NULL CHECK (json_valid(requirements)),
    program_version TEXT NOT NULL GENERATED ALWAYS AS (json_extract(environment, '$.program_version')) VIRTUAL,
    device_name TEXT NOT NULL GENERATED ALWAYS AS (json_extract(environment, '$.device_name')) VIRTUAL
) STRICT;

CREATE INDEX runs_by_start ON runs (started_at);

CREATE TABLE rows (
    run_id TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    position INTEGER NOT NULL CHECK (position >= 0), -- order of the plan, from 0
    name TEXT NOT NULL, -- candidate and quantization, unique in the run
    candidate TEXT NOT NULL CHECK (json_valid(candidate)),
    checkpoint TEXT CHECK (json_valid(checkpoint)), -- resolved commit, files and their hashes; NULL before it was acquired
    load TEXT CHECK (json_valid(load)), -- NULL before it was loaded
    fit TEXT CHECK (json_valid(fit)), -- the estimate made beforehand; NULL where it could not be made
    outcome TEXT NOT NULL CHECK (json_valid(outcome)),
    status TEXT NOT NULL GENERATED ALWAYS AS (json_extract(outcome, '$.status')) VIRTUAL, -- pending, ran, skipped, failed
    PRIMARY KEY (run_id, name),
    UNIQUE (run_id, position)
) STRICT;

CREATE TABLE trials (
    sequence INTEGER PRIMARY KEY, -- order in which the trials were stored
    run_id TEXT NOT NULL,
    row TEXT NOT NULL,
    suite TEXT NOT NULL,
    language TEXT, -- BCP 47 tag; NULL where the prompt has no natural language
    prompt TEXT NOT NULL,
    repetition INTEGER NOT NULL CHECK (repetition >= 0), -- from 0, warm-up and measured apart
    warmup INTEGER NOT NULL CHECK (warmup IN (0, 1)),
    seed TEXT NOT NULL, -- decimal: an unsigned 64-bit number does not fit SQLite's INTEGER
    started_at TEXT NOT NULL,
    prompt_tokens INTEGER CHECK (prompt_tokens >= 0),
    outcome TEXT NOT NULL CHECK (json_valid(outcome)),
    status TEXT NOT NULL GENERATED ALWAYS AS (json_extract(outcome, '$.status')) VIRTUAL, -- completed, failed
    encoded_ns INTEGER CHECK (encoded_ns >= 0), -- prompt tokenized, nanoseconds since the request started
    prefilled_ns INTEGER CHECK (prefilled_ns >= 0), -- forward pass over the prompt done, likewise
    arrivals_ns TEXT NOT NULL CHECK (json_valid(arrivals_ns)), -- array, one instant per output token, likewise
    token_ids TEXT NOT NULL CHECK (json_valid(token_ids)), -- array, in order of arrival
    text TEXT, -- NULL where there is no tokenizer to make text with
    readings TEXT NOT NULL CHECK (json_valid(readings)), -- array of telemetry readings
    FOREIGN KEY (run_id, row) REFERENCES rows (run_id, name) ON DELETE CASCADE
) STRICT;

-- A resumed run cannot store a trial twice. NULLs are all different to UNIQUE, hence the empty text in their place.
CREATE UNIQUE INDEX trials_by_key ON trials (run_id, row, suite, ifnull(language, ''), prompt, repetition, warmup);
