-- Version 4: what was asked, and what an answer is held to, so that answers can be judged again; and how they were judged.

ALTER TABLE runs ADD COLUMN prompts TEXT CHECK (json_valid(prompts)); -- array; NULL for runs stored before
ALTER TABLE runs ADD COLUMN stated TEXT CHECK (json_valid(stated)); -- where the requirements come from; likewise

CREATE TABLE judgements (
    trial INTEGER NOT NULL PRIMARY KEY REFERENCES trials (sequence) ON DELETE CASCADE,
    rules INTEGER NOT NULL, -- version of the rules that it was judged by
    judgement TEXT NOT NULL CHECK (json_valid(judgement)) -- gates and checks, each with its verdict
) STRICT;
